// Generation behind virtual tokens, on the CPU and on the kernels for NVIDIA GPUs, emulated on the processor: what a cache gives is
// what a pass over the whole gives, written out.
import { describe, expect, test } from 'vitest'
import { openCpu } from '@ift/kernels-cpu'
import { IftError, random, type Backend } from '@ift/tensor'
import { llama } from '@ift/model-llama'
import { families, kinds, openTiny, plainLogits, textOf, type Tiny } from '../train/virtual-tokens.fixture.js'
import { emulatedIsBuilt, openEmulated } from '../../../kernels-cuda/src/emulated.fixture.js'
import { Decoder } from './decoder.js'
import { answersTo, engineOver } from '../testing/answers.js'
import { scoreTokens } from './score-tokens.js'

const emulated = emulatedIsBuilt()
if (!emulated) console.log('skipped: generation on a GPU needs the emulated build')
const devices: readonly (readonly [name: string, ready: boolean, open: () => Backend])[] = [
  ['CPU', true, () => openCpu({ threads: 2 })],
  ['GPU', emulated, () => openEmulated()],
]

const decoderOf = ({ backend, model, peft, shape }: Tiny) => new Decoder(backend, model, peft, shape, 'f32')

const promptsOf = (tiny: Tiny) => [[5, 9, 2, 11], [7], [3, 1, 4, 1, 5, 9, 2]].map((ids) => textOf(tiny, ids))

const logSoftmax = (scores: Float32Array): number[] => {
  const most = Math.max(...scores)
  const sum = Math.log(scores.reduce((total, x) => total + Math.exp(x - most), 0)) + most
  return Array.from(scores, (x) => x - sum)
}

const largest = (scores: Float32Array) => scores.indexOf(Math.max(...scores))

/** Greedy search that computes everything again for every token. */
async function plainGreedy(tiny: Tiny, prompt: readonly number[], tokens: number): Promise<number[]> {
  const ids = [...prompt]
  while (ids.length < prompt.length + tokens) ids.push(largest((await plainLogits(tiny, ids)).at(-1)!))
  return ids.slice(prompt.length)
}

/** Beam search without ends, that computes everything again for every token. */
async function plainBeams(tiny: Tiny, prompt: readonly number[], tokens: number, beams: number) {
  let live = [{ ids: [...prompt], score: 0 }]
  for (let i = 0; i < tokens; i++) {
    const next: typeof live = []
    for (const { ids, score } of live)
      for (const [id, log] of logSoftmax((await plainLogits(tiny, ids)).at(-1)!).entries())
        next.push({ ids: [...ids, id], score: score + log })
    live = next.sort((a, b) => b.score - a.score).slice(0, beams)
  }
  return live[0]!.ids.slice(prompt.length)
}

for (const [device, ready, openDevice] of devices) {
  describe.skipIf(!ready).each(families)(`${device}, %s`, (_name, definition, folder) => {
    test.each(kinds)('%s: greedy, three at a time, beams and scores', async (kind) => {
      const backend = openDevice()
      const tiny = await openTiny(backend, definition, folder, kind)
      const prompts = promptsOf(tiny)
      const before = backend.memory().buffers
      const decoder = decoderOf(tiny)

      const expected: number[][] = []
      for (const prompt of prompts) expected.push(await plainGreedy(tiny, prompt, 10))
      const options = { maxNewTokens: 10, doSample: false } as const
      for (const maxSequences of [1, 3]) {
        const engine = engineOver(decoder, {}, { maxSequences })
        const found = await answersTo(engine, prompts, options)
        expect(found.map(({ ids }) => [...ids])).toEqual(expected)
        await engine.close()
      }

      // What others began with is behind the virtual tokens too.
      const engine = engineOver(decoder, {}, { keepPrefixes: true })
      const long = textOf(tiny, [5, 9, 2, 11, 3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3])
      for (let i = 0; i < 2; i++) {
        const { ids } = await engine.submit(long, options).result
        expect([...ids]).toEqual(await plainGreedy(tiny, long, 10))
      }
      expect(decoder.pages.kept > 0).toBe(tiny.model.promptOf === undefined)

      const beams = { maxNewTokens: 4, doSample: false, numBeams: 3 } as const
      expect([...(await engine.submit(prompts[0]!, beams).result).ids]).toEqual(
        await plainBeams(tiny, prompts[0]!, 4, 3),
      )

      const text = textOf(tiny, [5, 9, 2], [11, 30, 8])
      const logits = await plainLogits(tiny, text)
      for (const scores of [
        await scoreTokens(backend, tiny.model, tiny.peft, text),
        await engine.score(text),
      ]) {
        expect(scores[0]).toBeNull()
        for (let i = 1; i < text.length; i++)
          expect(scores[i]).toBeCloseTo(logSoftmax(logits[i - 1]!)[text[i]!]!, 4)
      }

      await engine.close()
      decoder.release()
      expect(backend.memory().buffers).toBe(before)
      tiny.release()
      backend.close()
    })

    // A page of the cache has 16 rows.
    const lengths = kinds.flatMap((kind) => [5, 16, 19].map((length) => ({ kind, length })))
    test.each(lengths)(
      '$length $kind: a sequence goes on from another one, fed in pieces',
      async ({ kind, length }) => {
        const backend = openDevice()
        const tiny = await openTiny(backend, definition, folder, kind, { length })
        const decoder = decoderOf(tiny)
        const last = async (feeds: Parameters<Decoder['feed']>[0]) => {
          const scores = decoder.feed(feeds)
          return scores.rows().finally(() => {
            scores.release()
          })
        }
        const expectClose = (found: Float32Array, expected: Float32Array) => {
          const most = expected.reduce((sum, x) => Math.max(sum, Math.abs(x)), 0)
          for (const [i, x] of expected.entries()) expect(Math.abs(found[i]! - x) / most).toBeLessThan(2e-5)
        }
        const prompt = textOf(tiny, [5, 9, 2, 11, 6])
        const [a, b] = [decoder.add(), decoder.add()]
        const [first] = await last([{ sequence: a, ids: prompt }])
        expectClose(first!, (await plainLogits(tiny, prompt)).at(-1)!)
        const c = decoder.fork(a)
        // One goes on, one goes on otherwise, one begins.
        const found = await last([
          { sequence: a, ids: [8] },
          { sequence: c, ids: [3, 7] },
          { sequence: b, ids: prompt.slice(1) },
        ])
        const whole = [[...prompt, 8], [...prompt, 3, 7], prompt.slice(1)]
        for (const [i, ids] of whole.entries()) expectClose(found[i]!, (await plainLogits(tiny, ids)).at(-1)!)
        decoder.release()
        tiny.release()
        backend.close()
      },
    )
  })

  test.skipIf(!ready).each(kinds)(
    `${device}: %s: steps are written down, and what is learned is asked for anew`,
    async (kind) => {
      const backend = openDevice()
      const tiny = await openTiny(backend, llama, 'llama-tiny', kind)
      let replayed = 0
      const record = backend.record!.bind(backend)
      backend.record = (work) => {
        const recording = record(work)
        return {
          replay: () => {
            replayed++
            recording.replay()
          },
          release: () => {
            recording.release()
          },
        }
      }
      const decoder = decoderOf(tiny)
      const engine = engineOver(decoder)
      const [prompt] = promptsOf(tiny)
      const options = { maxNewTokens: 20, doSample: false } as const
      const greedy = async () => [...(await engine.submit(prompt!, options).result).ids]
      const first = await greedy()
      expect(first).toEqual(await plainGreedy(tiny, prompt!, 20))
      expect(replayed).toBeGreaterThan(12)
      for (const parameter of tiny.parameters.values()) {
        const other = random(backend, parameter.shape, 'normal', { seed: 4, stream: parameter.shape[0]! })
        backend.copy2d(parameter.value.buf, 0, other.size, other.buf, 0, other.size, 1, other.size, 'f32', 0)
        other.release()
      }
      const second = await greedy()
      expect(second).not.toEqual(first)
      expect(second).toEqual(await plainGreedy(tiny, prompt!, 20))
      decoder.release()
      tiny.release()
      backend.close()
    },
  )
}

/** Lets `copy2d` throw at call `at` from now on, counted from 1. */
function failingCopies(backend: Backend) {
  const copy2d = backend.copy2d.bind(backend)
  const state = { calls: 0, at: Infinity }
  backend.copy2d = (...args) => {
    if (++state.calls === state.at) throw new IftError('IFT_OUT_OF_MEMORY', 'no memory')
    copy2d(...args)
  }
  return state
}

// The page that a sequence of 19 rows has in part is copied for the next one.
test.each(kinds)('%s: sequences that cannot be made hold nothing', async (kind) => {
  const backend = openCpu({ threads: 2 })
  const tiny = await openTiny(backend, llama, 'llama-tiny', kind, { length: 19 })
  const decoder = decoderOf(tiny)
  const copies = failingCopies(backend)
  const first = decoder.add()
  const ofFirst = copies.calls
  decoder.remove(decoder.fork(first))
  const ofFork = copies.calls - ofFirst
  expect(ofFork).toBeGreaterThan(0)
  decoder.remove(first)
  const before = backend.memory()
  // More often than there are pages: one that is lost each time would let the pool grow.
  const often = (times: number, fail: () => unknown) => {
    for (let i = 0; i < times; i++) {
      copies.calls = 0
      expect(fail).toThrow('no memory')
    }
    copies.at = Infinity
  }
  const after = () => {
    const { allocated, buffers } = backend.memory()
    return { allocated, buffers }
  }
  const held = { allocated: before.allocated, buffers: before.buffers }
  for (const at of [ofFirst - ofFork + 1, ofFirst - ofFork + 2, ofFirst]) {
    copies.at = at
    often(70, () => decoder.add())
    expect(after()).toEqual(held)
  }
  // While another sequence is there, what it goes on from stays.
  const kept = decoder.add()
  for (const at of [1, 2, ofFork]) {
    copies.at = at
    often(70, () => decoder.add())
    copies.at = at
    often(70, () => decoder.fork(kept))
    expect(after()).toEqual(held)
  }
  const scores = decoder.feed([{ sequence: kept, ids: [5, 9] }])
  const [row] = await scores.rows()
  scores.release()
  const expected = (await plainLogits(tiny, [5, 9])).at(-1)!
  for (const [i, x] of expected.entries()) expect(row![i]).toBeCloseTo(x, 3)
  decoder.remove(kept)

  // Beams are forked step by step.
  const engine = engineOver(decoder)
  copies.calls = 0
  const beams = { maxNewTokens: 4, doSample: false, numBeams: 3 } as const
  const generate = async () => {
    try {
      return await engine.submit([5, 9, 2], beams).result
    } finally {
      // Until then others could go on from what is in the cache.
      while (!engine.idle) await new Promise((resolve) => setImmediate(resolve))
    }
  }
  await generate()
  const whole = copies.calls
  const peak = after()
  for (const at of [whole - ofFork, whole - 2 * ofFork, whole - 3 * ofFork]) {
    for (let i = 0; i < 70; i++) {
      Object.assign(copies, { calls: 0, at })
      await expect(generate()).rejects.toThrow('no memory')
    }
    expect(after()).toEqual(peak)
  }
  copies.at = Infinity
  decoder.release()
  tiny.release()
  backend.close()
})
