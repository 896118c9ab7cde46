import { afterAll, expect, test } from 'vitest'
import { openAdapter } from '@ift/core'
import { caseFolder, quickstartModel } from './ift.fixture.js'

const folder = caseFolder('21-one-step-run')
afterAll(() => {
  folder.remove()
})

const train = (output: string, ...more: string[]) =>
  folder.output(
    ...(['train', '--weights', quickstartModel, '--template', 'alpaca', '--data', 'few.jsonl'] as const),
    ...['--output', output, ...more],
  )
const rates = (output: string) =>
  (folder.lines(`${output}/metrics.jsonl`) as { kind: string; values: { learningRate: number } }[])
    .filter(({ kind }) => kind === 'train')
    .map(({ values }) => values.learningRate)
/** The largest element of the B matrices, which are 0 before training. */
async function largestB(output: string): Promise<number> {
  const adapter = await openAdapter(folder.path(output, 'adapter'))
  let largest = 0
  for (const name of adapter.names())
    if (name.includes('lora_B'))
      for (const value of await adapter.read(name)) largest = Math.max(largest, Math.abs(value))
  return largest
}

test('the only step of a run trains', async () => {
  train('one', '--train.epochs', '1')
  expect(rates('one')).toEqual([3e-4])
  expect(await largestB('one')).toBeGreaterThan(1e-5)
})

test.each([
  ['three steps', ['--train.epochs', '3'], [3e-4, 3e-4, 1.5e-4]],
  ['a warm-up as long as the run', ['--train.epochs', '2', '--train.warmupSteps', '9'], [1.5e-4, 3e-4]],
  ['a constant rate', ['--train.epochs', '1', '--train.schedule', 'constant'], [3e-4]],
])('%s: none at a rate of 0', (name, flags, expected) => {
  train(name.replaceAll(' ', '-'), ...flags)
  const found = rates(name.replaceAll(' ', '-'))
  expect(found).toHaveLength(expected.length)
  for (const [i, rate] of found.entries()) expect(rate).toBeCloseTo(expected[i]!, 10)
})
