import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadWeights, openCheckpoint } from '@ift/core'
import { openCpu } from '@ift/kernels-cpu'
import { llama } from '@ift/model-llama'
import type { Backend, CausalLM } from '@ift/tensor'
import type { GenerateOptions } from '../../contract/generate.js'
import type { ModelShape } from '../../contract/model.js'
import { engineOver } from '../../testing/answers.js'
import { Decoder } from '../decoder.js'
import { Random } from '../random.js'
import type { EngineOptions, EngineParts } from './engine.js'

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

/** Runs with an engine over a cache of so many pages, which must be free again in the end. */
async function withEngine<T>(
  {
    maxPages = 64,
    parts = {},
    ...options
  }: EngineOptions & { maxPages?: number; parts?: Partial<EngineParts> },
  run: (engine: ReturnType<typeof engineOver>, decoder: Decoder) => Promise<T>,
): Promise<T> {
  const before = backend.memory().buffers
  const decoder = new Decoder(backend, model, null, shape, 'f32', null, { maxPages })
  const engine = engineOver(decoder, parts, options)
  try {
    const found = await run(engine, decoder)
    while (!engine.idle) await new Promise((resolve) => setImmediate(resolve))
    expect(engine.load).toMatchObject({ running: 0, waiting: 0 })
    expect(decoder.pages.held - decoder.pages.kept).toBe(0)
    if (options.keepPrefixes !== true) expect(decoder.pages.held).toBe(0)
    return found
  } finally {
    await engine.close()
    decoder.release()
    expect(backend.memory().buffers).toBe(before)
  }
}

interface Asked {
  readonly prompt: number[]
  readonly options: GenerateOptions
  readonly stream: number
}

/** Requests of every kind; many begin with the same tokens. */
function requests(count: number, seed: number): Asked[] {
  const random = new Random(seed)
  const whole = (below: number) => Math.floor(random.uniform() * below)
  const ids = (length: number) => Array.from({ length }, () => 3 + whole(60))
  const shared = [ids(40), ids(17)]
  return Array.from({ length: count }, (_, stream) => {
    const prompt = [...(shared[whole(3)] ?? []), ...ids(1 + whole(30))]
    const kinds: GenerateOptions[] = [
      { maxNewTokens: 1 + whole(60) },
      { maxNewTokens: 1 + whole(20), logprobs: whole(4) },
      { maxNewTokens: 1 + whole(20), doSample: true, temperature: 0.5 + random.uniform(), seed: whole(9) },
      { maxNewTokens: 1 + whole(20), doSample: true, topK: 5, topP: 0.9 },
      { maxNewTokens: 1 + whole(12), repetitionPenalty: 1.3, noRepeatNgramSize: 3 },
      { maxNewTokens: 1 + whole(6), numBeams: 2 + whole(2) },
    ]
    return { prompt, stream, options: kinds[whole(kinds.length)]! }
  })
}

const idsOf = ({ ids }: { ids: Int32Array }) => [...ids]

async function alone(asked: readonly Asked[]) {
  const answers: number[][] = []
  for (const { prompt, options, stream } of asked)
    answers.push(idsOf(await withEngine({}, (engine) => engine.submit(prompt, options, { stream }).result)))
  return answers
}

test.each([
  { maxPages: 64, tokensPerStep: 256, maxSequences: 16 },
  { maxPages: 24, tokensPerStep: 32, maxSequences: 8 },
  { maxPages: 14, tokensPerStep: 16, maxSequences: 8 },
])('answers are the same whoever else asks: %j', async (limits) => {
  const asked = requests(24, 7)
  const expected = await alone(asked)
  await withEngine(limits, async (engine) => {
    const random = new Random(3)
    const answers: Promise<{ ids: Int32Array }>[] = []
    for (const { prompt, options, stream } of asked) {
      const priority = Math.floor(random.uniform() * 3)
      answers.push(engine.submit(prompt, options, { stream, priority }).result)
      // Some arrive while others are under way.
      while (random.uniform() < 0.5) await new Promise((resolve) => setImmediate(resolve))
    }
    expect((await Promise.all(answers)).map(idsOf)).toEqual(expected)
    if (limits.maxPages < 20) expect(engine.load.preemptions).toBeGreaterThan(0)
  })
})

test('one that is cancelled leaves the others alone, and its pages are free', async () => {
  const asked = requests(12, 5)
  const expected = await alone(asked)
  await withEngine({ maxPages: 40 }, async (engine) => {
    const answers = asked.map(({ prompt, options, stream }) =>
      engine.submit(prompt, { ...options, maxNewTokens: options.maxNewTokens + 4 }, { stream }),
    )
    const steps = new Random(1)
    for (const [i, answer] of answers.entries()) {
      if (i % 3 !== 0) continue
      await new Promise((resolve) => setTimeout(resolve, 3 * steps.uniform()))
      answer.cancel('enough')
    }
    const results = await Promise.allSettled(answers.map(({ result }) => result))
    for (const [i, result] of results.entries())
      if (result.status === 'rejected') expect([i % 3, result.reason]).toEqual([0, 'enough'])
      else {
        const { numBeams = 1 } = asked[i]!.options
        // A beam search of more tokens may decide otherwise.
        if (numBeams === 1) expect(idsOf(result.value).slice(0, expected[i]!.length)).toEqual(expected[i])
      }
  })
})

test('an error in one ends that one', async () => {
  const tap = (_: Float32Array, { ids }: { readonly ids: readonly number[] }) => {
    if (ids[0] === 9 && ids.length > 5) throw new RangeError('nine')
  }
  await withEngine({ parts: { tap } }, async (engine) => {
    const [bad, good] = [
      [9, 4, 2],
      [8, 4, 2],
    ].map((prompt) => engine.submit(prompt, { maxNewTokens: 8 }))
    await expect(bad!.result).rejects.toThrow('nine')
    expect((await good!.result).ids).toHaveLength(8)
  })
})

test('a request says when it is to end: by a signal, by a time, by leaving its text', async () => {
  await withEngine({}, async (engine) => {
    const long = { maxNewTokens: 400 }
    const stop = new AbortController()
    const answer = engine.submit([5, 6], long, { signal: stop.signal })
    stop.abort(new Error('gone'))
    await expect(answer.result).rejects.toThrow('gone')
    await expect(engine.submit([5, 6], long, { timeout: 1 }).result).rejects.toMatchObject({
      code: 'IFT_GENERATE_DEADLINE',
    })
    await expect(
      engine.submit([5, 6], long, { signal: AbortSignal.abort(new Error('before')) }).result,
    ).rejects.toThrow('before')
    const tokenizer = {
      decodeStream: () => ({
        push: (id: number) => Promise.resolve(`${id} `),
        end: () => Promise.resolve(''),
      }),
    } as unknown as EngineParts['tokenizer']
    await withEngine({ parts: { tokenizer } }, async (engine) => {
      const pieces: string[] = []
      const answer = engine.submit([5, 6], long)
      for await (const piece of answer) if (pieces.push(piece) === 3) break
      await expect(answer.result).rejects.toMatchObject({ name: 'AbortError' })
      const whole = engine.submit([5, 6], { maxNewTokens: 5 })
      const read: string[] = []
      for await (const piece of whole) read.push(piece)
      expect(read.join('')).toBe((await whole.result).text)
      expect(read.slice(0, 3)).toEqual(pieces)
    })
  })
})

test('many requests end by one signal, without a warning of Node', async () => {
  const warnings: Error[] = []
  const keep = (warning: Error) => warnings.push(warning)
  process.on('warning', keep)
  try {
    await withEngine({}, async (engine) => {
      const stop = new AbortController()
      const answers = Array.from({ length: 12 }, () =>
        engine.submit([5, 6], { maxNewTokens: 40 }, { signal: stop.signal }),
      )
      stop.abort(new Error('enough'))
      for (const { result } of answers) await expect(result).rejects.toThrow('enough')
    })
    // Warnings are events of a later turn.
    await new Promise((resolve) => setImmediate(resolve))
    expect(warnings).toEqual([])
  } finally {
    process.off('warning', keep)
  }
})

test('what never fits is refused with the numbers', async () => {
  await withEngine({ maxPages: 8 }, async (engine) => {
    const prompt = Array.from({ length: 100 }, (_, i) => 3 + (i % 50))
    expect(() => engine.submit(prompt, { maxNewTokens: 40 })).toThrow(
      'A prompt of 100 tokens with 40 more takes 9 pages of 16 tokens; the cache has 8.',
    )
    expect((await engine.submit(prompt, { maxNewTokens: 20 }).result).ids).toHaveLength(20)
    expect(() => engine.submit(prompt, { maxNewTokens: 4, numBeams: 4 })).toThrow(/in 4 beams takes/)
  })
  const room = () => ({ positions: 10, virtualTokens: 3 })
  await withEngine({ parts: { room } }, async (engine) => {
    expect(() => engine.submit([], { maxNewTokens: 4 })).toThrow('The prompt has no tokens.')
    expect(() =>
      engine.submit(
        Array.from({ length: 10 }, () => 5),
        { maxNewTokens: 4 },
      ),
    ).toThrow("The prompt has 10 tokens; the model's limit is 10 with the answer, behind 3 virtual tokens.")
    expect((await engine.submit([5, 6, 7], { maxNewTokens: 20 }).result).ids).toHaveLength(7)
    expect(() => engine.score(Array.from({ length: 11 }, () => 5))).toThrow("the model's limit is 10")
  })
})

test('log-probabilities are those of the model, before settings', async () => {
  await withEngine({}, async (engine) => {
    const prompt = [5, 9, 2, 11]
    const options = { maxNewTokens: 6, doSample: true, temperature: 0.7, topK: 7, logprobs: 3 }
    const { ids, logprobs } = await engine.submit(prompt, options).result
    const scores = await engine.score([...prompt, ...ids])
    expect(logprobs!.map(({ id }) => id)).toEqual([...ids])
    for (const [i, { logprob, top }] of logprobs!.entries()) {
      expect(logprob).toBeCloseTo(scores[prompt.length + i]!, 4)
      expect(top).toHaveLength(3)
      expect(top[0]!.logprob).toBeGreaterThanOrEqual(top[2]!.logprob)
      expect(top[0]!.logprob).toBeGreaterThanOrEqual(logprob)
    }
    // Asking for them changes nothing.
    const { logprobs: _, ...plain } = options
    expect((await engine.submit(prompt, plain).result).ids).toEqual(ids)
    expect(await engine.score([7])).toEqual([null])
  })
})

test('scores come from the same queue', async () => {
  await withEngine({ tokensPerStep: 16, maxPages: 30 }, async (engine) => {
    const text = Array.from({ length: 70 }, (_, i) => 3 + ((i * 7) % 50))
    const alone = await engine.score(text)
    const [scores] = await Promise.all([
      engine.score(text),
      ...requests(6, 2).map(({ prompt, options }) => engine.submit(prompt, options).result),
    ])
    expect(scores).toHaveLength(70)
    expect(scores).toEqual(alone)
  })
})

test('what begins in the same way is computed once', async () => {
  await withEngine({ keepPrefixes: true }, async (engine, decoder) => {
    const prompt = Array.from({ length: 50 }, (_, i) => 3 + ((i * 11) % 50))
    const first = await engine.submit(prompt, { maxNewTokens: 14 }).result
    // 63 tokens have been fed: the last one was not.
    expect(decoder.pages.kept).toBe(3)
    const fed = feedsOf(decoder)
    const again = await engine.submit(prompt, { maxNewTokens: 14 }).result
    expect(again.ids).toEqual(first.ids)
    expect(fed[0]).toBe(2)
    // The answer, too, is the beginning of what goes on from it.
    const more = [...prompt, ...first.ids]
    await engine.submit(more, { maxNewTokens: 1 }).result
    expect(fed.at(-1)).toBe(16)
  })
})

test('choices of one prompt are scored in one pass, and others behind what is in the cache', async () => {
  await withEngine({ keepPrefixes: true }, async (engine, decoder) => {
    const prompt = Array.from({ length: 50 }, (_, i) => 3 + ((i * 11) % 50))
    const fed = feedsOf(decoder)
    const of = (...last: number[]) => ({ ids: [...prompt, ...last], from: prompt.length })
    const four = await engine.scoreAll([of(5), of(6), of(7), of(8)])
    expect(fed).toEqual([50])
    // Three full pages are there; what the first of these reads behind them is no full page.
    await engine.scoreAll([of(5, 9), of(6, 9)])
    expect(fed.slice(1)).toEqual([3, 3])
    // Where every token is scored, every token is read.
    const whole = await engine.score([...prompt, 5])
    expect(fed.at(-1)).toBe(50)
    expect(whole.at(-1)).toBe(four[0]![0])
  })
})

/** Tokens of the passes from now on. */
function feedsOf(decoder: Decoder): number[] {
  const fed: number[] = []
  const pass = decoder.pass.bind(decoder)
  decoder.pass = (feeds) => {
    fed.push(feeds.reduce((sum, { ids }) => sum + ids.length, 0))
    return pass(feeds)
  }
  return fed
}

test('a long prompt does not hold up the others', async () => {
  const long = Array.from({ length: 300 }, (_, i) => 3 + (i % 50))
  await withEngine({ tokensPerStep: 64, promptTokensPerStep: 32 }, async (engine, decoder) => {
    const fed = feedsOf(decoder)
    const short = engine.submit([5, 6, 7], { maxNewTokens: 6, ignoreEnds: true })
    await Promise.all([short.result, engine.submit(long, { maxNewTokens: 2, ignoreEnds: true }).result])
    // Both begin together; nobody waits any more when the short one has ended.
    expect(fed).toEqual([3 + 48, 33, 33, 33, 33, 33, 64, 28, 1])
  })
})
