import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadWeights, openCheckpoint } from '@ift/core'
import { openCpu } from '@ift/kernels-cpu'
import { llama } from '@ift/model-llama'
import type { Backend, CausalLM } from '@ift/tensor'
import { Decoder } from './decoder.js'
import { engineOver } from '../testing/answers.js'
import { decodeSettings, processScores } from './settings.js'
import type { GenerateOptions } from '../contract/generate.js'

type Settings = Record<string, number | boolean | string | null>

interface Case {
  prompt: number[]
  eos: number | number[] | null
  settings: Settings
  outputs: (number[] | { ids: number[] })[]
}

const fixture = (path: string) => fileURLToPath(new URL(`../../../../fixtures/${path}`, import.meta.url))
const cases = (name: string): Case[] => {
  const read = JSON.parse(readFileSync(fixture(`generate/${name}.json`), 'utf8')) as
    Case[] | { cases: Case[] }
  return Array.isArray(read) ? read : read.cases
}

const names: Readonly<Record<string, keyof GenerateOptions>> = {
  max_new_tokens: 'maxNewTokens',
  min_new_tokens: 'minNewTokens',
  num_beams: 'numBeams',
  length_penalty: 'lengthPenalty',
  early_stopping: 'earlyStopping',
  no_repeat_ngram_size: 'noRepeatNgramSize',
  repetition_penalty: 'repetitionPenalty',
  do_sample: 'doSample',
}

/** The settings as ift's; of several beams returned only the best is compared. */
function optionsOf(settings: Settings): GenerateOptions {
  const options: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(settings)) {
    if (name === 'num_return_sequences') continue
    const key = names[name]
    if (key === undefined) throw new RangeError(`a case uses ${name}`)
    options[key] = value
  }
  return options as unknown as GenerateOptions
}

let backend: Backend
let model: CausalLM
let decoder: Decoder

beforeAll(async () => {
  backend = openCpu({ threads: 2 })
  const config = llama.parseConfig(
    JSON.parse(readFileSync(fixture('llama-tiny/config.json'), 'utf8')) as Record<string, unknown>,
  )
  model = llama.build(config)
  await loadWeights(model, llama, config, await openCheckpoint(fixture('llama-tiny')), {
    backend,
    dtype: 'f32',
  })
  decoder = new Decoder(backend, model, null, llama.shape(config), 'f32')
})

afterAll(() => {
  decoder.release()
  model.release()
  expect(backend.memory().buffers).toBe(0)
  backend.close()
})

describe.each(['greedy', 'beams'])('%s as Hugging Face generate', (name) => {
  for (const [i, { prompt, eos, settings, outputs }] of cases(name).entries()) {
    const options = optionsOf(settings)
    test(`case ${i}: ${JSON.stringify(settings)}`, async () => {
      const ends = new Set(eos === null ? [] : [eos].flat())
      const { ids } = await engineOver(decoder, { ends }).submit(prompt, options).result
      const [first] = outputs
      const expected = Array.isArray(first) ? first : first!.ids
      expect([...ids]).toEqual(expected.filter((id, at) => !(at === expected.length - 1 && ends.has(id))))
    })
  }
})

interface Processors {
  ids: number[]
  prompt_tokens: number
  eos: number
  logits: number[][]
  cases: { name: string; output: (number | null)[][] }[]
}

/** The settings that the names of processors.json stand for. */
const processed: Readonly<Record<string, Partial<GenerateOptions>>> = {
  'temperature-0.3': { doSample: true, temperature: 0.3 },
  'temperature-1.7': { doSample: true, temperature: 1.7 },
  'top-k-1': { doSample: true, topK: 1 },
  'top-k-5': { doSample: true, topK: 5 },
  'top-k-100': { doSample: true, topK: 100 },
  'top-p-0.05': { doSample: true, topP: 0.05 },
  'top-p-0.5': { doSample: true, topP: 0.5 },
  'top-p-0.95': { doSample: true, topP: 0.95 },
  'repetition-penalty-1.8': { repetitionPenalty: 1.8 },
  'repetition-penalty-0.7': { repetitionPenalty: 0.7 },
  'no-repeat-ngram-1': { noRepeatNgramSize: 1 },
  'no-repeat-ngram-2': { noRepeatNgramSize: 2 },
  'no-repeat-ngram-3': { noRepeatNgramSize: 3 },
  'no-repeat-ngram-6': { noRepeatNgramSize: 6 },
  'min-new-tokens-7': { minNewTokens: 7 },
  'min-new-tokens-8': { minNewTokens: 8 },
  chain: {
    doSample: true,
    repetitionPenalty: 1.8,
    noRepeatNgramSize: 2,
    minNewTokens: 8,
    temperature: 0.7,
    topK: 8,
    topP: 0.75,
  },
}

describe("scores as transformers' logits processors leave them", () => {
  const { ids, prompt_tokens, eos, logits, cases } = JSON.parse(
    readFileSync(fixture('generate/processors.json'), 'utf8'),
  ) as Processors

  test('every case has its settings', () => {
    expect(cases.map(({ name }) => name).sort()).toEqual(Object.keys(processed).sort())
  })

  test.each(cases)('$name', ({ name, output }) => {
    const settings = decodeSettings({ maxNewTokens: 16, ...processed[name] })
    for (const [row, expected] of output.entries()) {
      const scores = Float32Array.from(logits[row]!)
      processScores(scores, { ids, promptTokens: prompt_tokens }, settings, new Set([eos]), null)
      for (const [token, value] of expected.entries())
        if (value === null) expect(scores[token], `row ${row}, token ${token}`).toBe(-Infinity)
        else expect(Math.abs(scores[token]! - value), `row ${row}, token ${token}`).toBeLessThan(1e-5)
    }
  })
})
