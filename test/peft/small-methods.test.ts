import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openAdapter, type IftConfig } from '@ift/core'
import { plugin as cpu } from '@ift/kernels-cpu'
import { plugin as llama } from '@ift/model-llama'
import { plugin as ia3 } from '@ift/peft-ia3'
import { plugin as lora } from '@ift/peft-lora'
import { plugin as parts } from '@ift/peft-parts'
import { plugin as vera } from '@ift/peft-vera'
import { readObject } from '../fixture/files.js'
import { quickstartConfig } from '../fixture/quickstart.js'
import { sessionsIn, trainsIn } from '../fixture/session.js'
import { copyModel } from '../fixture/small-model.js'

// Methods with few parameters, by what a config says: trained, saved, resumed, loaded, merged.

const dir = mkdtempSync(join(tmpdir(), 'ift-small-methods-'))
const session = sessionsIn(dir, [cpu, llama, ia3, lora, parts, vera])
const train = trainsIn(session)

const config = (
  output: string,
  peft: IftConfig['peft'],
  { maxSteps = 2, ...more }: Partial<IftConfig> & { maxSteps?: number } = {},
): IftConfig => ({
  ...quickstartConfig,
  weights: join(dir, 'base/model'),
  initialize: false,
  device: 'cpu',
  threads: 2,
  peft,
  train: { ...quickstartConfig.train, maxSteps, learningRate: 0.05 },
  output,
  ...more,
})

const methods = {
  ia3: { method: 'ia3' },
  vera: { method: 'vera', r: 16, saveProjection: false, dropout: 0.1 },
  bitfit: { method: 'bitfit' },
  'ln-tuning': { method: 'ln-tuning' },
  'trainable-tokens': { method: 'trainable-tokens', tokenIndices: [5, 300, 301, 40] },
  'lora-with-tokens': { method: 'lora', r: 2, trainableTokenIndices: { embed_tokens: [300, 5] } },
} as const satisfies Readonly<Record<string, IftConfig['peft']>>

const ids = Array.from({ length: 24 }, (_, i) => 300 + ((i * 37) % 200))

const answersOf = (options: IftConfig) =>
  session(options, async (ift) => {
    const generator = await ift.createGenerator()
    const { text } = await generator.generate({ instruction: 'Hi', input: '' }, { maxNewTokens: 6 })
    return { scores: (await generator.score(ids)).slice(1) as number[], text }
  })

const worst = (a: readonly number[], b: readonly number[]) =>
  Math.max(...a.map((value, i) => Math.abs(value - b[i]!)))

const adapter = (output: string) => readFileSync(join(dir, output, 'adapter/adapter_model.safetensors'))

beforeAll(async () => {
  // A model with biases.
  const start = join(dir, 'start')
  copyModel(start)
  const facts = readObject(join(start, 'config.json'))
  writeFileSync(join(start, 'config.json'), JSON.stringify({ ...facts, attention_bias: true }))
  await train(config('base', { method: 'none' }, { weights: start, initialize: true }))
})

afterAll(() => {
  rmSync(dir, { recursive: true })
})

describe.each(Object.entries(methods))('%s', (name, peft) => {
  test('trains, and its adapter on the base answers as the merged model', async () => {
    expect((await train(config(name, peft))).reason).toBe('done')
    const used = config('unused', { method: 'none' }, { adapter: join(dir, name, 'adapter') })
    const [plain, tuned] = [await answersOf(config('unused', { method: 'none' })), await answersOf(used)]
    expect(worst(tuned.scores, plain.scores)).toBeGreaterThan(1e-3)
    const folder = join(dir, `${name}-merged`)
    await session(used, (ift) => ift.merge(folder))
    const merged = await answersOf(config('unused', { method: 'none' }, { weights: folder }))
    expect(merged.text).toBe(tuned.text)
    expect(worst(merged.scores, tuned.scores)).toBeLessThan(1e-4)
  })
})

test.each(['vera', 'trainable-tokens'] as const)(
  '%s, interrupted and resumed, ends in the same bytes, and is trained on from its adapter',
  async (name) => {
    const run = (output: string, more = {}) => config(output, methods[name], { maxSteps: 5, ...more })
    const [straight, cut, on] = [`${name}-straight`, `${name}-cut`, `${name}-on`]
    await train(run(straight))
    expect((await train(run(cut), { stopAfter: 1 })).reason).toBe('interrupted')
    expect((await train(run(cut), { resume: true })).reason).toBe('done')
    expect(adapter(cut).equals(adapter(straight))).toBe(true)
    const { method } = methods[name]
    await train(config(on, { method }, { adapter: join(dir, straight, 'adapter') }))
    const [before, after] = await Promise.all(
      [straight, on].map((output) => openAdapter(join(dir, output, 'adapter'))),
    )
    expect([...after!.names()].sort()).toEqual([...before!.names()].sort())
    expect(adapter(on).equals(adapter(straight))).toBe(false)
  },
)

test.each([
  [{ method: 'ia3', r: 4 }, /peft\.r/],
  [{ method: 'vera', alpha: 4 }, /peft\.alpha/],
  [{ method: 'vera', bias: 'lora_only' }, /peft\.bias/],
  [{ method: 'bitfit', dropout: 0.1 }, /peft\.dropout/],
  [{ method: 'trainable-tokens' }, /peft\.tokenIndices/],
  [{ method: 'trainable-tokens', tokenIndices: [] }, /peft\.tokenIndices/],
  [{ method: 'trainable-tokens', tokenIndices: [-1] }, /peft\.tokenIndices/],
  [{ method: 'lora', trainableTokenIndices: { embed_tokens: [1.5] } }, /peft\.trainableTokenIndices/],
])('%j is refused by the name of the option', async (peft, message) => {
  await expect(train(config('refused', peft))).rejects.toMatchObject({
    code: 'IFT_CONFIG_INVALID',
    message: expect.stringMatching(message) as string,
  })
})
