import { writeFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { caseFolder, quickstartModel, rows } from '../cases/ift.fixture.js'

const folder = caseFolder('chat')
afterAll(() => {
  folder.remove()
})

test('a chat is talked with, told what it goes without, saved and read again', () => {
  writeFileSync(folder.path('rows.jsonl'), rows(4))
  const config = {
    weights: quickstartModel,
    template: 'alpaca',
    data: ['./rows.jsonl'],
    train: { maxSteps: 1 },
  }
  writeFileSync(
    folder.path('ift.config.json'),
    JSON.stringify({ ...config, generate: { maxNewTokens: 6, minNewTokens: 6 } }),
  )
  folder.output('train')
  const input = ['/retry', 'say 3', '/retry', '/exti', '/save talk.jsonl', '/exit'].join('\n')
  const { code, stdout, stderr } = folder.ift(['chat', '--system', 'Be brief.'], { input })
  expect(code, stderr).toBe(0)
  expect(stderr).toMatch(/not used: --adapter ift-runs.*adapter/)
  expect(stderr).toContain('There is no answer to give again.')
  expect(stderr).toContain('--generate.doSample gives others')
  expect(stderr).toContain('Did you mean /exit?')
  expect(stderr).toContain('6 new tokens (--generate.maxNewTokens)')
  const [answer, again] = stdout.split('\n').filter((line) => line.trim() !== '')
  expect(answer).toBe(again)
  expect(folder.lines('talk.jsonl')).toMatchObject([
    { messages: [{ role: 'system' }, { role: 'user', content: 'say 3' }, { role: 'assistant' }] },
  ])
  expect(folder.output('data', 'stats', 'talk.jsonl')).toMatch(/examples +1\b/)
})
