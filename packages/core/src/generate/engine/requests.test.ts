// What single requests may ask for beside the settings of Hugging Face: answers to one prompt, log-probabilities of a prompt, ends.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadWeights, openCheckpoint } from '@ift/core'
import { openCpu } from '@ift/kernels-cpu'
import { llama } from '@ift/model-llama'
import type { Backend, CausalLM } from '@ift/tensor'
import type { Generation } from '../../contract/generate.js'
import type { ModelShape } from '../../contract/model.js'
import { engineOver } from '../../testing/answers.js'
import { Decoder } from '../decoder.js'
import type { Engine, EngineOptions, EngineParts } from './engine.js'

const fixture = (path: string) => fileURLToPath(new URL(`../../../../../fixtures/${path}`, import.meta.url))

let backend: Backend
let model: CausalLM
let shape: ModelShape

beforeAll(async () => {
  backend = openCpu({ threads: 2 })
  const json = JSON.parse(readFileSync(fixture('llama-tiny/config.json'), 'utf8')) as Record<string, unknown>
  const config = llama.parseConfig(json)
  model = llama.build(config)
  const checkpoint = await openCheckpoint(fixture('llama-tiny'))
  await loadWeights(model, llama, config, checkpoint, { backend, dtype: 'f32' })
  shape = llama.shape(config)
})

afterAll(() => {
  model.release()
  expect(backend.memory().buffers).toBe(0)
  backend.close()
})

async function withEngine<T>(
  {
    maxPages = 64,
    parts = {},
    ...options
  }: EngineOptions & { maxPages?: number; parts?: Partial<EngineParts> },
  run: (engine: Engine) => Promise<T>,
): Promise<T> {
  const decoder = new Decoder(backend, model, null, shape, 'f32', null, { maxPages })
  const engine = engineOver(decoder, parts, options)
  try {
    const found = await run(engine)
    while (!engine.idle) await new Promise((resolve) => setImmediate(resolve))
    expect(engine.load).toMatchObject({ running: 0, waiting: 0 })
    expect(decoder.pages.held).toBe(0)
    return found
  } finally {
    await engine.close()
    decoder.release()
  }
}

const prompt = Array.from({ length: 45 }, (_, i) => 3 + ((i * 7) % 50))
const idsOf = ({ ids }: Generation) => [...ids]

test('answers to one prompt go on from where the first has read it, and are those of their streams', async () => {
  const options = { maxNewTokens: 8, doSample: true, temperature: 2, seed: 5 }
  const alone: number[][] = []
  for (const stream of [0, 1, 2])
    alone.push(idsOf(await withEngine({}, (engine) => engine.submit(prompt, options, { stream }).result)))
  expect(new Set(alone.map(String)).size).toBe(3)
  for (const limits of [{}, { tokensPerStep: 16 }, { maxSequences: 1 }]) {
    await withEngine(limits, async (engine) => {
      const first = engine.submit(prompt, options)
      const others = [1, 2].map((stream) => engine.submit(prompt, options, { stream, behind: first }))
      expect(engine.load.waiting).toBe(3)
      const answers = await Promise.all([first, ...others].map(({ result }) => result))
      expect(answers.map(idsOf)).toEqual(alone)
      // Two full pages of 45 tokens.
      expect(answers.map(({ cachedTokens }) => cachedTokens)).toEqual([0, 32, 32])
    })
  }
})

test('where the first ends before it has read the prompt, the others read it', async () => {
  await withEngine({}, async (engine) => {
    const first = engine.submit(prompt, { maxNewTokens: 4 })
    const [second, third] = [1, 2].map((stream) =>
      engine.submit(prompt, { maxNewTokens: 4 }, { stream, behind: first }),
    )
    first.cancel('gone')
    third!.cancel('gone too')
    await expect(first.result).rejects.toBe('gone')
    await expect(third!.result).rejects.toBe('gone too')
    expect((await second!.result).ids).toHaveLength(4)
  })
})

test('log-probabilities of a prompt are those of a score, and the likeliest ids hold them', async () => {
  const scores = await withEngine({}, (engine) => engine.score(prompt))
  for (const limits of [{}, { tokensPerStep: 16 }, { maxPages: 5, tokensPerStep: 16 }]) {
    await withEngine(limits, async (engine) => {
      const asked = { maxNewTokens: 3, logprobs: 2, promptLogprobs: 3 }
      const answers = [engine.submit(prompt, asked), engine.submit(prompt.slice(0, 20), { maxNewTokens: 9 })]
      const [answer] = await Promise.all(answers.map(({ result }) => result))
      const { promptLogprobs = [], logprobs = [] } = answer!
      expect(promptLogprobs.map((one) => one?.logprob ?? null)).toEqual(scores)
      expect(promptLogprobs.map((one) => one?.id ?? prompt[0])).toEqual(prompt)
      expect(logprobs).toHaveLength(3)
      for (const one of promptLogprobs.slice(1)) {
        const { id, logprob, top } = one!
        expect(top).toHaveLength(3)
        const sorted = top.map((of) => of.logprob).sort((a, b) => b - a)
        expect(top.map((of) => of.logprob)).toEqual(sorted)
        // One number for one token.
        expect(top.find((of) => of.id === id)?.logprob ?? logprob).toBe(logprob)
        expect(logprob).toBeLessThanOrEqual(sorted[0]!)
      }
    })
  }
})

test('an answer ends at ids of the request, says at which, and with what probability', async () => {
  const free = await withEngine(
    {},
    (engine) => engine.submit(prompt, { maxNewTokens: 12, logprobs: 1 }).result,
  )
  const end = free.ids[4]!
  const at = free.ids.indexOf(end)
  const stopped = await withEngine(
    {},
    (engine) => engine.submit(prompt, { maxNewTokens: 12, logprobs: 1, stopIds: [end] }).result,
  )
  expect(stopped).toMatchObject({ finish: 'eos', end: { id: end, logprob: free.logprobs![at] } })
  expect(idsOf(stopped)).toEqual([...free.ids.slice(0, at)])
  const parts = { ends: new Set([end]) }
  const ended = await withEngine({ parts }, (engine) => engine.submit(prompt, { maxNewTokens: 12 }).result)
  expect(ended.end).toEqual({ id: end, logprob: null })
  const on = await withEngine(
    { parts },
    (engine) => engine.submit(prompt, { maxNewTokens: 12, ignoreEnds: true }).result,
  )
  expect(idsOf(on)).toEqual(idsOf(free))
  expect(on.end).toBeUndefined()
})

test('scores are changed by id, and by what was generated', async () => {
  const answer = (options: object) =>
    withEngine({}, (engine) => engine.submit(prompt, { maxNewTokens: 6, ...options }).result)
  expect(idsOf(await answer({ logitBias: { 7: 1000 } }))).toEqual([7, 7, 7, 7, 7, 7])
  expect(idsOf(await answer({ logitBias: { 7: 1000, 8: 950 }, presencePenalty: 100 })).slice(0, 3)).toEqual([
    7, 8, 7,
  ])
  // Of a token that is likeliest by far nothing else is left.
  const sampled = { doSample: true, temperature: 1, minP: 0.5, logitBias: { 9: 1000 } }
  expect(new Set((await answer(sampled)).ids)).toEqual(new Set([9]))
})

test('a request is answered that comes while the loop of the one before ends', () =>
  withEngine({}, async (engine) => {
    const ask = () => engine.submit(prompt.slice(0, 4), { maxNewTokens: 1, promptLogprobs: 1 }).result
    const late = 'no answer'
    for (let hops = 0; hops < 16; hops++) {
      await ask()
      for (let i = 0; i < hops; i++) await Promise.resolve()
      let timer: NodeJS.Timeout | undefined
      const limit = new Promise<string>((resolve) => (timer = setTimeout(resolve, 30_000, late)))
      const found = await Promise.race([ask(), limit])
      clearTimeout(timer)
      expect(found, `after ${hops} microtasks`).not.toBe(late)
    }
  }))

test('texts of one beginning are scored with the numbers that they have alone, and it is read once', async () => {
  const texts = [
    ...[7, 8, 9].map((last) => ({ ids: [...prompt, last], from: prompt.length })),
    { ids: [...prompt, 7, 12, 13], from: prompt.length },
    { ids: [...prompt, 7, 12, 14], from: prompt.length },
    { ids: [...prompt.slice(0, 20), 4], from: 18 },
    { ids: prompt, from: 1 },
    { ids: prompt, from: prompt.length },
    { ids: [5], from: 1 },
  ]
  const alone: number[][] = []
  for (const { ids, from } of texts)
    alone.push((await withEngine({}, (engine) => engine.score(ids))).slice(from) as number[])
  for (const limits of [{}, { tokensPerStep: 16 }, { maxPages: 5, tokensPerStep: 16 }, { maxSequences: 1 }])
    expect(await withEngine(limits, (engine) => engine.scoreAll(texts))).toEqual(alone)
})

test('positions of the first token are refused, and others end with who asked', async () => {
  await withEngine({}, async (engine) => {
    expect(() => engine.scoreAll([{ ids: prompt, from: 0 }])).toThrow('found 0')
    const stop = new AbortController()
    const texts = [7, 8].map((id) => ({ ids: [...prompt, id, id], from: prompt.length }))
    const asked = engine.scoreAll(texts, { signal: stop.signal })
    stop.abort('gone')
    await expect(asked).rejects.toBe('gone')
    expect(await engine.scoreAll(texts)).toHaveLength(2)
  })
})
