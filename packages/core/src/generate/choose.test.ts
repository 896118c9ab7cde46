import { expect, test, vi } from 'vitest'
import { tensor, type Tensor } from '@ift/tensor'
import { referenceBackend } from '@ift/tensor/reference'
import { choose } from './choose.js'
import { Random } from './random.js'
import { StepLogits } from './step-logits.js'
import { decodeSettings } from './settings.js'
import type { GenerateOptions } from '../contract/generate.js'

const backend = referenceBackend()
const ends = new Set([3, 11])

/** Scores of three sequences; rounded ones are often equal, as those in 16 bits are. */
function logits(vocab: number, spread: number, rounded: boolean, seed: number): Tensor {
  const random = new Random(seed)
  const values = Float32Array.from({ length: 3 * vocab }, () => {
    const score = spread * Math.sqrt(-2 * Math.log(1 - random.uniform())) * Math.cos(7 * random.uniform())
    return rounded ? Math.round(score * 4) / 4 : score
  })
  return tensor(backend, values, [3, vocab])
}

async function chosen(
  scores: StepLogits,
  options: Partial<GenerateOptions>,
  whole: boolean,
): Promise<number[][]> {
  const settings = decodeSettings({ maxNewTokens: 1, ...options })
  const choices = [0, 1, 2].map((i) => ({ ids: [1], promptTokens: 1, random: new Random(5, i) }))
  const found: number[][] = []
  // A tap may read every score, so that every score is read.
  const tap = whole ? () => undefined : null
  for (let step = 0; step < 20; step++) found.push(await choose(scores, choices, settings, ends, tap))
  return found
}

for (const [name, options] of [
  ['greedy', {}],
  ['top-k', { doSample: true, topK: 40 }],
  ['top-k with a temperature and top-p', { doSample: true, topK: 40, temperature: 0.3, topP: 0.75 }],
  ['top-k above the vocabulary', { doSample: true, topK: 5000 }],
  ['top-p', { doSample: true, topP: 0.9, temperature: 0.6 }],
  ['top-p of nearly all', { doSample: true, topP: 0.999, temperature: 2 }],
  ['everything', { doSample: true }],
  ['greedy, too short to end', { minNewTokens: 1 }],
  ['top-k, too short to end', { minNewTokens: 1, doSample: true, topK: 40 }],
  ['top-p, too short to end', { minNewTokens: 1, doSample: true, topP: 0.9 }],
] as const)
  for (const vocab of [50, 1500])
    for (const rounded of [false, true])
      test(`${name} of ${vocab}${rounded ? ' rounded' : ''} scores: the highest decide as all do`, async () => {
        for (const spread of [0.1, 1, 4]) {
          const t = logits(vocab, spread, rounded, 3)
          const scores = new StepLogits(t, true)
          expect(await chosen(scores, options, false)).toEqual(await chosen(scores, options, true))
          scores.release()
        }
      })

test('what the highest scores decide is decided without the others', async () => {
  const scores = new StepLogits(logits(1500, 4, false, 3), true)
  const [rows, row] = [vi.spyOn(scores, 'rows'), vi.spyOn(scores, 'row')]
  for (const options of [{}, { doSample: true, topK: 40 }, { doSample: true, topP: 0.9, temperature: 0.6 }])
    await chosen(scores, options, false)
  expect(rows).not.toHaveBeenCalled()
  expect(row).not.toHaveBeenCalled()
  await chosen(scores, { repetitionPenalty: 1.1 }, false)
  expect(rows).toHaveBeenCalledTimes(20)
  scores.release()
})

test('top-p keeps the last of equal scores', async () => {
  const scores = new StepLogits(tensor(backend, Float32Array.of(0, 3, 3, 3, 3, 3, 1), [1, 7]), true)
  for (const tap of [null, () => undefined]) {
    const random = { ids: [1], promptTokens: 1, random: new Random(5) }
    const settings = decodeSettings({ maxNewTokens: 1, doSample: true, topP: 0.3 })
    const found = new Set<number>()
    for (let i = 0; i < 50; i++) found.add((await choose(scores, [random], settings, ends, tap))[0]!)
    expect([...found].sort()).toEqual([4, 5])
  }
  scores.release()
})
