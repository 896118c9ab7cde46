import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { IftConfig } from '@ift/core'
import { plugin as cpu } from '@ift/kernels-cpu'
import { plugin as llama } from '@ift/model-llama'
import { plugin as lora } from '@ift/peft-lora'
import { QuantizedLinear, QuantizedParameter } from '@ift/tensor'
import { writeBlockModel } from '../fixture/blocks.js'
import { quickstart } from '../fixture/files.js'
import { quickstartConfig } from '../fixture/quickstart.js'
import { lossesOf, sessionsIn, trainsIn } from '../fixture/session.js'

const dir = mkdtempSync(join(tmpdir(), 'ift-blocks-'))
const file = join(dir, 'model.gguf')
beforeAll(() => {
  writeBlockModel(file)
})
afterAll(() => {
  rmSync(dir, { recursive: true })
})

const config = (more: Partial<IftConfig> = {}): IftConfig => ({
  ...quickstartConfig,
  weights: file,
  tokenizer: quickstart('model'),
  initialize: false,
  device: 'cpu',
  threads: 2,
  train: { ...quickstartConfig.train, batchSize: 2, maxSteps: 2, learningRate: 1e-2, saveEvery: 1 },
  maxLength: 64,
  ...more,
})
const session = sessionsIn(dir, [cpu, llama, lora])
const train = trainsIn(session)
const ids = Array.from({ length: 40 }, (_, i) => 300 + ((i * 37) % 200))
const adapter = (output: string) => readFileSync(join(dir, output, 'adapter', 'adapter_model.safetensors'))

/** Scores of ids, and an answer, with its engine. */
const answers = (options: IftConfig) =>
  session(options, async (ift) => {
    const open = await ift.openModel()
    const generator = await ift.createGenerator(open)
    const { text } = await generator.generate({ instruction: 'Hi', input: '' }, { maxNewTokens: 8 })
    return {
      scores: (await generator.score(ids)).slice(1) as number[],
      text,
      quantize: open.quantize,
      memory: open.backend.memory(),
    }
  })

const worst = (a: readonly number[], b: readonly number[]) =>
  Math.max(...a.map((value, i) => Math.abs(value - b[i]!)))

const mean = (a: readonly number[], b: readonly number[]) =>
  a.reduce((sum, value, i) => sum + Math.abs(value - b[i]!), 0) / a.length

test('a quantised file keeps its blocks: every type that the device multiplies, tables too, and no other', async () => {
  const formats = await session(config(), async (ift) => {
    const { model, blocks } = await ift.openModel()
    const held = [...model.namedParameters()].flatMap(([path, parameter]) =>
      parameter instanceof QuantizedParameter ? [[path, parameter.format] as const] : [],
    )
    expect(new Map(held)).toEqual(blocks)
    return new Map(held)
  })
  const layer = (i: number, name: string) => formats.get(`model.layers.${i}.${name}.weight`)
  expect(layer(0, 'self_attn.q_proj')).toBe('Q4_K')
  expect(layer(0, 'self_attn.k_proj')).toBe('Q6_K')
  expect(layer(1, 'self_attn.q_proj')).toBe('Q4_1')
  expect(layer(1, 'mlp.up_proj')).toBeUndefined()
  expect(formats.get('model.embed_tokens.weight')).toBe('Q8_0')
  expect(formats.size).toBe(14)
})

test.each(['f32', 'bf16'] as const)(
  'scores and answers are those of written-out weights: %s',
  async (dtype) => {
    const blocks = await answers(config({ dtype }))
    const plain = await answers(config({ dtype, quantize: 'none' }))
    expect([blocks.quantize, plain.quantize]).toEqual(['blocks', 'none'])
    if (dtype === 'f32') {
      expect(worst(blocks.scores, plain.scores)).toBeLessThan(1e-4)
      expect(blocks.text).toBe(plain.text)
    } else {
      // Blocks are not rounded to bf16: their scores are as near to the exact ones as those of written-out weights, or nearer.
      const exact = await answers(config({ dtype: 'f32', quantize: 'none' }))
      expect(mean(blocks.scores, exact.scores)).toBeLessThan(1.1 * mean(plain.scores, exact.scores))
    }
    expect(blocks.memory.allocated + blocks.memory.mapped).toBeLessThan(
      plain.memory.allocated + plain.memory.mapped,
    )
  },
)

test('training on blocks is training on their values, bit for bit', async () => {
  for (const dtype of ['f32', 'bf16'] as const) {
    const blocks = await train(config({ dtype, output: `blocks-${dtype}` }))
    await train(config({ dtype, output: `plain-${dtype}`, quantize: 'none' }))
    expect(blocks.steps).toBe(2)
    expect(adapter(`blocks-${dtype}`).equals(adapter(`plain-${dtype}`))).toBe(true)
  }
  await train(config({ output: 'cut' }), { stopAfter: 1 })
  await train(config({ output: 'cut' }), { resume: true })
  expect(adapter('cut').equals(adapter('blocks-f32'))).toBe(true)
  await expect(train(config({ output: 'cut', quantize: 'nf4' }), { resume: true })).rejects.toThrow(
    /quantize: was/,
  )
  expect(JSON.parse(readFileSync(join(dir, 'cut', 'adapter', 'ift.json'), 'utf8'))).toMatchObject({
    quantize: 'none',
  })
})

test('an adapter runs on blocks and is merged onto their values', async () => {
  const used = { adapter: join(dir, 'blocks-f32', 'adapter') }
  const before = await answers(config(used))
  expect(before.quantize).toBe('blocks')
  const plain = await answers(config({ ...used, quantize: 'none' }))
  expect(worst(before.scores, plain.scores)).toBeLessThan(1e-4)
  const merged = await session(config(used), (ift) => ift.merge('merged'))
  expect(merged.quantize).toBe('none')
  expect(merged.logitDifference).toBeLessThan(1e-3)
  const after = await answers(config({ weights: join(dir, 'merged') }))
  expect(after.quantize).toBe('none')
  expect(worst(after.scores, before.scores)).toBeLessThan(1e-4)
})

test('the plan says what blocks take, and what written-out weights would', async () => {
  await session(config(), async (ift) => {
    const { plan, writtenOut, open } = await ift.planTraining()
    expect(open.quantize).toBe('blocks')
    const table = new Map(open.model.namedParameters()).get('model.embed_tokens.weight')
    expect(table).toBeDefined()
    expect(table).not.toBeInstanceOf(QuantizedParameter)
    let saved = 0
    for (const [, module] of open.model.namedModules())
      if (module instanceof QuantizedLinear)
        saved += module.inFeatures * module.outFeatures * 4 - module.weight.quantized.bytes
    expect(writtenOut!.weights - plan.weights).toBe(saved)
    expect(writtenOut!.training).toBe(plan.training)
  })
})

test('methods that need plain weights say so, or take them', async () => {
  const pissa = { method: 'lora', init: 'pissa' }
  await expect(train(config({ output: 'x', peft: pissa }))).rejects.toThrow(/Q4_K.*|quantize: none/)
  const saved = { method: 'lora', modulesToSave: ['gate_proj'] }
  await expect(train(config({ output: 'x', peft: saved }))).rejects.toMatchObject({ code: 'IFT_QUANTIZED' })
  const losses = await session(
    config({ output: 'whole', peft: { method: 'none' }, train: { ...config().train, maxSteps: 1 } }),
    async (ift) => {
      const training = await ift.createTraining()
      expect(training.open.quantize).toBe('none')
      return lossesOf(training)
    },
  )
  expect(losses.length).toBe(1)
})
