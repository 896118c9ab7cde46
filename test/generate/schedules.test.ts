// Requests of several adapters in any company: ids, log-probabilities and scores are those of each alone, bit for bit.
import { basename } from 'node:path'
import { openAdapter, type GenerateOptions } from '@ift/core'
import { AdapterSet } from '@ift/core/peft'
import { Decoder, engineOver } from '@ift/core/testing'
import { lora } from '@ift/peft-lora'
import { quantizeLinears, type CausalLM, type FloatDType } from '@ift/tensor'
import { expect, test } from 'vitest'
import { fixture } from '../fixture/files.js'
import { allDefinitions, definitionOf, withTiny } from '../fixture/models.js'

const definitions = await allDefinitions()
const adapters = ['peft-lora/lora', 'peft-lora/rslora']

/** Whole numbers below `below`, the same in every run (Park and Miller 1988). */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => (state = (state * 48271) % 2147483647) % below
}

interface Request {
  readonly prompt: number[]
  /** Null for a text that is scored. */
  readonly options: GenerateOptions | null
  readonly adapter: string | null
  readonly stream: number
}

function requests(count: number, names: readonly (string | null)[], seed: number): Request[] {
  const next = numbers(seed)
  const ids = (length: number) => Array.from({ length }, () => 3 + next(60))
  const shared = [ids(40), ids(20)]
  return Array.from({ length: count }, (_, stream) => {
    const adapter = names[next(names.length)]!
    const prompt = [...(shared[next(3)] ?? []), ...ids(2 + next(30))]
    const logprobs = next(3)
    const kinds: (GenerateOptions | null)[] = [
      { maxNewTokens: 1 + next(24), logprobs },
      { maxNewTokens: 1 + next(16), doSample: true, temperature: 1.5, topK: 9, seed: next(9), logprobs },
      { maxNewTokens: 1 + next(16), doSample: true, topP: 0.9, repetitionPenalty: 1.2 },
      { maxNewTokens: 1 + next(6), numBeams: 2 },
      null,
    ]
    return { prompt, stream, adapter, options: kinds[next(kinds.length)]! }
  })
}

type Engine = ReturnType<typeof engineOver>

/** Ids and log-probabilities of an answer, or the scores of a text. */
async function ask(
  engine: Engine,
  { prompt, options, adapter, stream }: Request,
  priority: number,
): Promise<unknown> {
  if (options === null) return engine.score(prompt, { adapter, priority })
  const { ids, logprobs } = await engine.submit(prompt, { ...options, adapter }, { stream, priority }).result
  return { ids: [...ids], logprobs }
}

/** Schedules of each kind; `npm run schedules` plays more. */
const schedules = Number(process.env['IFT_SCHEDULES'] ?? 6)

test.each<{ dtype: FloatDType; quantize?: 'nf4' | 'int8' }>([
  { dtype: 'f32' },
  { dtype: 'bf16' },
  { dtype: 'bf16', quantize: 'nf4' },
])('%j', { timeout: 120_000 + 10_000 * schedules }, async ({ dtype, quantize }) => {
  const definition = definitionOf(definitions, 'llama-tiny')
  const prepare = (model: CausalLM) => {
    if (quantize !== undefined) quantizeLinears(model, quantize, [model.lmHead])
  }
  await withTiny(
    definition,
    'llama-tiny',
    async ({ backend, model, shape, roles }) => {
      const set = new AdapterSet(model, {
        ...{ definition, shape, roles, backend, dtype, seed: 1, baseModel: 'llama-tiny' },
      })
      for (const dir of adapters)
        await set.load(basename(dir), { source: await openAdapter(fixture(dir)), method: lora })
      const asked = requests(40, [null, ...set.names], 11)
      const alone: unknown[] = []
      const before = backend.memory().buffers
      for (const request of asked) {
        const decoder = new Decoder(backend, model, null, shape, dtype, set)
        const engine = engineOver(decoder)
        alone.push(await ask(engine, request, 0))
        await engine.close()
        decoder.release()
      }
      let preemptions = 0
      for (let seed = 1; seed <= schedules; seed++) {
        const next = numbers(seed)
        // Of fewer pages some requests would be refused; every third schedule has no more.
        const maxPages = 15 + (seed % 3 === 0 ? 0 : next(50))
        const limits = {
          ...{ tokensPerStep: 16 * 2 ** next(5), maxSequences: 4 + next(29) },
          promptTokensPerStep: 16 * 2 ** next(5),
        }
        const decoder = new Decoder(backend, model, null, shape, dtype, set, { maxPages })
        const engine = engineOver(decoder, {}, limits)
        const answers: Promise<unknown>[] = []
        for (const request of asked) {
          answers.push(ask(engine, request, next(3)))
          // Some come while others are under way, and some of those leave.
          if (next(4) === 0) {
            const stopped = engine.submit([5, 6, 7, next(9)], { maxNewTokens: 99 })
            stopped.result.catch(() => undefined)
            setImmediate(() => {
              stopped.cancel()
            })
          }
          while (next(2) === 0) await new Promise((resolve) => setImmediate(resolve))
        }
        for (const [i, answer] of (await Promise.all(answers)).entries())
          expect(answer, `schedule ${seed}, request ${i}: ${JSON.stringify(asked[i])}`).toEqual(alone[i])
        preemptions += engine.load.preemptions
        await engine.close()
        expect(decoder.pages.held).toBe(0)
        decoder.release()
      }
      expect(preemptions).toBeGreaterThan(0)
      expect(backend.memory().buffers).toBe(before)
      set.release()
    },
    { dtype, prepare },
  )
})
