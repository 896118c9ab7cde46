import { expect, test } from 'vitest'
import { keyFor } from './key.js'

test('a key goes to its own endpoint alone', () => {
  const env = { OPENAI_API_KEY: 'sk-1' }
  expect(keyFor('https://api.openai.com/v1', env)).toBe('sk-1')
  expect(keyFor('https://api.openai.com.evil.example/v1', env)).toBeNull()
  expect(keyFor('http://127.0.0.1:8000/v1', env)).toBeNull()
  const own = { ...env, OPENAI_BASE_URL: 'http://127.0.0.1:8000/v1' }
  expect(keyFor('http://127.0.0.1:8000/v1', own)).toBe('sk-1')
  expect(keyFor('http://127.0.0.1:9000/v1', own)).toBeNull()
  expect(keyFor('http://127.0.0.1:9000/v1', { ...own, IFT_JUDGE_KEY: ' k \n' })).toBe('k')
  expect(keyFor('nonsense', {})).toBeNull()
  expect(() => keyFor('http://x.example', { IFT_JUDGE_KEY: 'a b' })).toThrow(/IFT_JUDGE_KEY holds blanks/)
})
