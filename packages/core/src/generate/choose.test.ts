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

const idOf = (found: Awaited<ReturnType<typeof choose>>[number]): number => {
  if ('error' in found) throw found.error
  return found.id
}

async function chosen(
  scores: StepLogits,
  options: Partial<GenerateOptions>,
  whole: boolean,
): Promise<number[][]> {
  const settings = decodeSettings({ maxNewTokens: 1, ...options })
  const placed = [0, 1, 2].map((row) => ({
    row,
    choice: { ids: [1], promptTokens: 1, settings, ends, constraint: null, random: new Random(5, row) },
  }))
  const found: number[][] = []
  // A tap may read every score, so that every score is read.
  const tap = whole ? () => undefined : null
  for (let step = 0; step < 20; step++) found.push((await choose(scores, placed, tap)).map(idOf))
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
    const settings = decodeSettings({ maxNewTokens: 1, doSample: true, topP: 0.3 })
    const choice = { ids: [1], promptTokens: 1, settings, ends, constraint: null, random: new Random(5) }
    const found = new Set<number>()
    for (let i = 0; i < 50; i++) found.add(idOf((await choose(scores, [{ row: 0, choice }], tap))[0]!))
    expect([...found].sort()).toEqual([4, 5])
  }
  scores.release()
})

test('each sequence is chosen with its own settings, whatever the others have', async () => {
  const scores = new StepLogits(logits(1500, 2, false, 3), true)
  const of: readonly Partial<GenerateOptions>[] = [
    { doSample: true, topP: 0.9, temperature: 0.6 },
    { repetitionPenalty: 1.2 },
    { doSample: true, topK: 40, logprobs: 2 },
  ]
  const placed = of.map((options, row) => ({
    row,
    choice: {
      ...{ ids: [1], promptTokens: 1, ends, constraint: null },
      settings: decodeSettings({ maxNewTokens: 1, ...options }),
      random: () => new Random(5, row),
    },
  }))
  const chosenOf = async (rows: readonly number[]) => {
    const wanted = rows.map((row) => placed[row]!)
    const begun = wanted.map(({ row, choice }) => ({ row, choice: { ...choice, random: choice.random() } }))
    return (await choose(scores, begun, null)).map(idOf)
  }
  const together = await chosenOf([0, 1, 2])
  for (const row of [0, 1, 2]) expect(await chosenOf([row])).toEqual([together[row]])
  expect(await chosenOf([2, 0])).toEqual([together[2], together[0]])
  scores.release()
})

test('a tap that fails for one sequence leaves the others their tokens', async () => {
  const scores = new StepLogits(logits(50, 1, false, 3), true)
  const settings = decodeSettings({ maxNewTokens: 1 })
  const placed = [0, 1, 2].map((row) => ({
    row,
    choice: { ids: [row], promptTokens: 1, settings, ends, constraint: null, random: new Random(5, row) },
  }))
  const tap = (_: Float32Array, { ids }: { readonly ids: readonly number[] }) => {
    if (ids[0] === 1) throw new RangeError('one')
  }
  const [first, second, third] = await choose(scores, placed, tap)
  expect(second).toEqual({ error: new RangeError('one') })
  expect([idOf(first!), idOf(third!)]).toEqual(
    (await choose(scores, [placed[0]!, placed[2]!], null)).map(idOf),
  )
  scores.release()
})

test.each([
  [40, false],
  [40, true],
  // Of the likeliest ones perhaps none may come.
  [3000, false],
])('what an answer is held to decides, of %i tokens, every score read: %s', async (vocab, whole) => {
  const scores = new StepLogits(logits(vocab, 3, false, 4), true)
  const mask = new Uint32Array(Math.ceil(scores.vocab / 32))
  const open = [2, 5, scores.vocab - 1]
  for (const id of open) mask[id >>> 5]! |= 1 << (id & 31)
  const constraint = { mask: () => mask, accept: () => undefined, ended: false }
  const rows = await scores.rows()
  const place = (options: Partial<GenerateOptions>) =>
    [0, 1, 2].map((row) => ({
      row,
      choice: {
        ...{ ids: [1], promptTokens: 1, ends, constraint, random: new Random(5, row) },
        settings: decodeSettings({ maxNewTokens: 1, ...options }),
      },
    }))
  const tap = whole ? () => undefined : null
  const greedy = (await choose(scores, place({}), tap)).map(idOf)
  expect(greedy).toEqual(
    rows.map((row) => open.reduce((best, id) => (row[id]! > row[best]! ? id : best), open[0]!)),
  )
  const options = { doSample: true, temperature: 9 }
  const drawn = new Set<number>()
  for (let i = 0; i < 40; i++)
    for (const one of await choose(scores, place({ ...options, seed: i }), tap)) drawn.add(idOf(one))
  for (const id of drawn) expect(open).toContain(id)
  // Log-probabilities are the model's.
  const [first] = await choose(scores, place({ logprobs: 1 }), tap)
  expect(first).toMatchObject({ logprob: { top: [{}] } })
  mask.fill(0)
  expect((await choose(scores, place({}), tap))[0]).toMatchObject({ error: { code: 'IFT_CONSTRAINT' } })
  scores.release()
})
