import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { tinyCase } from './ift.fixture.js'

// A tokenizer.json that the tokenizers library would panic on is refused before: a panic ends the process (exit 134).

const folder = tinyCase('rel-20-charsmap-aborts')
afterAll(() => {
  folder.remove()
})

const generate = () => folder.ift(['generate', 'hello', '--weights', './m', '--template', 'alpaca'])

test('a broken normalisation map', () => {
  copyFileSync(folder.path('tokenizer.json'), folder.path('m/tokenizer.json'))
  const { code, stderr } = generate()
  expect(stderr).toContain('IFT_FILE_CORRUPT')
  expect(stderr).toMatch(/tokenizer\.json: normalizer\S*\.precompiled_charsmap: /)
  expect(code).toBe(1)
})

test('an added token of which the normaliser leaves nothing', () => {
  const json = JSON.parse(readFileSync(folder.path('tokenizer.json'), 'utf8')) as {
    normalizer: unknown
    added_tokens: Record<string, unknown>[]
  }
  json.normalizer = { type: 'Replace', pattern: { String: '~' }, content: '' }
  const id = Math.max(...json.added_tokens.map((token) => Number(token['id'])))
  const added = json.added_tokens.find((token) => token['id'] === id)!
  Object.assign(added, { content: '~', normalized: true, special: false })
  writeFileSync(folder.path('m/tokenizer.json'), JSON.stringify(json))
  const { code, stderr } = generate()
  expect(stderr).toContain('IFT_FILE_CORRUPT')
  expect(stderr).toContain('"~"')
  expect(code).toBe(1)
})
