import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { caseFolder, quickstartModel, root } from './ift.fixture.js'

const folder = caseFolder('22-max-length-over-micro-batch')
afterAll(() => {
  folder.remove()
})

const flags = (data: string, ...more: string[]) => [
  ...['--weights', quickstartModel, '--template', 'alpaca', '--data', data, '--maxLength', '450'],
  ...more,
]
const planOf = (...args: string[]) => folder.output('plan', ...args)
const lengthOf = (...args: string[]) =>
  (JSON.parse(folder.output('inspect', ...args, '--json')) as unknown[]).length

test('a sample of fewer than maxLength tokens is whole, whatever a micro-batch is to have', () => {
  const whole = lengthOf(...flags('long.jsonl'))
  expect(whole).toBeGreaterThan(100)
  expect(whole).toBeLessThan(450)
  expect(lengthOf(...flags('long.jsonl', '--train.microBatchTokens', '100'))).toBe(whole)
  const plan = planOf(...flags('long.jsonl', '--train.microBatchTokens', '100'))
  expect(plan).not.toContain('cut to')
  expect(plan).toMatch(new RegExp(`micro-batch +${whole} tokens.*100`))
})

test('it trains', () => {
  const more = ['--train.microBatchTokens', '100', '--train.maxSteps', '1', '--train.evalEvery', '0']
  folder.output('train', ...flags('long.jsonl', ...more, '--output', 'run'))
})

test('the plan names what cuts: maxLength, or the positions of the model', () => {
  const output = 'the cat sat on the mat, and then '.repeat(80)
  writeFileSync(folder.path('longer.jsonl'), `${JSON.stringify({ instruction: 'Go on', output })}\n`)
  expect(planOf(...flags('longer.jsonl', '--train.microBatchTokens', '100'))).toContain(
    '1 cut to maxLength (450 tokens)',
  )
  const small = join(root, 'fixtures/cases/06-end-of-turn-runs-on/model')
  const model = ['--weights', small, '--initialize', '--template', 'alpaca', '--maxLength', '8192']
  expect(planOf(...model, '--data', 'longer.jsonl')).toMatch(
    /1 cut to the model's limit \(512 tokens; maxLength says 8192\)/,
  )
})
