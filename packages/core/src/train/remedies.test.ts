import { expect, test } from 'vitest'
import { llama } from '@ift/model-llama'
import { lora } from '@ift/peft-lora'
import { IftError, quantizeLinears } from '@ift/tensor'
import { countMemory, wholeBatch } from './count-memory.js'
import { adamw } from './optimizer/adamw.js'
import { plan, type Plan } from './plan.js'
import { remedies, type MemorySettings } from './remedies.js'

// LLaMA-7B, 8192 tokens at once.
const config = llama.parseConfig({
  architectures: ['LlamaForCausalLM'],
  hidden_size: 4096,
  intermediate_size: 11008,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  vocab_size: 32000,
})
const layers = 32
const GiB = 2 ** 30

const countOn =
  (device: string) =>
  ({ recomputeLayers, microBatchTokens, dtype, quantize, method }: MemorySettings) =>
    countMemory({
      ...{ device, dtype, recomputeLayers, batch: wholeBatch(microBatchTokens) },
      build() {
        const model = llama.build(config)
        if (quantize === 'nf4' || quantize === 'int8') quantizeLinears(model, quantize, [model.lmHead])
        return model
      },
      async attach(model, backend) {
        if (method === 'none') {
          const all = [...model.namedParameters()]
          for (const [, parameter] of all) parameter.setTrainable(true)
          const trainable = all.map(([name, parameter]) => ({ name, parameter, lrScale: 1, decay: true }))
          return { peft: null, trainable }
        }
        const peft = await lora.attach(model, lora.options.parse({}), {
          ...{ definition: llama, shape: llama.shape(config), roles: llama.roles(config) },
          ...{ backend, dtype, seed: 1, baseModel: '7b' },
        })
        return { peft, trainable: [...peft.trainable()] }
      },
      optimizer: { definition: adamw, options: adamw.options.parse({}), weightDecay: 0, clipNorm: 1 },
    })

const lora7b: MemorySettings = {
  ...{ recomputeLayers: 0, microBatchTokens: 8192, maxLength: 2048 },
  ...{ dtype: 'bf16', quantize: 'none', method: 'attached' },
}
const onCpu = countOn('cpu')

const planOf = (
  settings: MemorySettings,
  recompute: Parameters<typeof plan>[1] = 0,
  budget: number | null = null,
  count = onCpu,
) => plan({ layers, budget, count: (recomputeLayers) => count({ ...settings, recomputeLayers }) }, recompute)

const offered = (settings: MemorySettings, planned: Plan, limit: number, count = onCpu) =>
  remedies({ layers, settings, count }, planned, limit)

test('each says what the plan loses by it; what fits comes first, then what saves most', async () => {
  const planned = await planOf(lora7b)
  const limit = 18 * GiB
  const found = await offered(lora7b, planned, limit)
  expect(new Set(found.map(({ flag }) => flag))).toEqual(
    new Set([
      '--train.recompute all',
      '--train.microBatchTokens 2048',
      '--maxLength 1024 --train.microBatchTokens 1024',
      '--quantize nf4',
    ]),
  )
  for (const { saves, fits } of found) expect(fits).toBe(planned.total - saves <= limit)
  const order = found.map(({ saves, fits }) => (fits ? 1e15 : 0) + saves)
  expect(order).toEqual([...order].sort((a, b) => b - a))
  expect(new Set(found.map(({ fits }) => fits)).size).toBe(2)
  const recomputed = found.find(({ flag }) => flag === '--train.recompute all')
  expect(recomputed!.saves).toBe(planned.total - (await planOf(lora7b, 'all')).total)
})

test('a micro-batch is halved only as far as needed, and never below a whole sequence', async () => {
  const planned = await planOf(lora7b)
  const { reserved: barely } = await onCpu({ ...lora7b, microBatchTokens: 4096 })
  const flags = async (limit: number) => (await offered(lora7b, planned, limit)).map(({ flag }) => flag)
  expect(await flags(barely)).toContain('--train.microBatchTokens 4096')
  expect(await flags(GiB)).toContain('--train.microBatchTokens 2048')
})

test('full training is offered LoRA, and bf16 only where it saves more than the masters take', async () => {
  const full: MemorySettings = { ...lora7b, method: 'none', dtype: 'f32', microBatchTokens: 2048 }
  const flags = async (settings: MemorySettings) =>
    (await offered(settings, await planOf(settings), GiB)).map(({ flag }) => flag)
  const few = await flags(full)
  expect(few).toContain('--peft.method lora')
  expect(few).not.toContain('--quantize nf4')
  expect(few).not.toContain('--dtype bf16')
  expect(await flags({ ...full, microBatchTokens: 16384 })).toContain('--dtype bf16')
})

test('quantised weights are not quantised again, f32 is offered bf16', async () => {
  const flags = async (changed: Partial<MemorySettings>) => {
    const settings = { ...lora7b, microBatchTokens: 2048, ...changed }
    return (await offered(settings, await planOf(settings), GiB)).map(({ flag }) => flag)
  }
  expect(await flags({ quantize: 'nf4' })).not.toContain('--quantize nf4')
  expect(await flags({ dtype: 'f32' })).toContain('--dtype bf16')
})

test('a setting that the run cannot have is not offered', async () => {
  const planned = await planOf(lora7b)
  const refuse = (settings: MemorySettings) =>
    settings.quantize === 'none' ? onCpu(settings) : Promise.reject(new IftError('IFT_PEFT_OPTIONS', 'no'))
  const found = await remedies({ layers, settings: lora7b, count: refuse }, planned, 28 * GiB)
  expect(found.map(({ flag }) => flag)).toContain('--train.recompute all')
  expect(found.map(({ flag }) => flag)).not.toContain('--quantize nf4')
})

test('on a GPU, whose blocks are larger than what is asked for, a setting fits if the plan with it would', async () => {
  const onCuda = countOn('cuda')
  const planned = await planOf(lora7b, 0, null, onCuda)
  const changes: [flag: string, changed: Partial<MemorySettings>][] = [
    ['--train.recompute all', { recomputeLayers: layers }],
    ['--maxLength 1024 --train.microBatchTokens 1024', { maxLength: 1024, microBatchTokens: 1024 }],
    ['--train.microBatchTokens 4096', { microBatchTokens: 4096 }],
    ['--quantize nf4', { quantize: 'nf4' }],
  ]
  for (const [flag, changed] of changes) {
    const settings = { ...lora7b, ...changed }
    const { peak, reserved } = await onCuda(settings)
    expect(reserved).toBeGreaterThan(peak)
    for (const limit of [peak, reserved - 1, reserved]) {
      const found = await offered(lora7b, planned, limit, onCuda)
      const { fits } = await planOf(settings, settings.recomputeLayers, limit, onCuda)
      expect(fits).toBe(limit === reserved)
      const remedy = found.find((one) => one.flag === flag)
      // Where half the micro-batch does not fit, a smaller one is offered.
      if (flag === '--train.microBatchTokens 4096' && !fits) expect(remedy).toBeUndefined()
      else expect(remedy).toMatchObject({ fits, saves: planned.total - peak })
    }
  }
})

test('as few layers are recomputed as the budget asks for', async () => {
  const [none, all] = [await planOf(lora7b, 'none'), await planOf(lora7b, 'all')]
  const budget = (none.total + all.total) / 2
  const planned = await planOf(lora7b, 'auto', budget)
  expect(planned).toMatchObject({ fits: true })
  expect(planned.recomputeLayers).toBeGreaterThan(0)
  expect(planned.recomputeLayers).toBeLessThan(layers)
  expect((await planOf(lora7b, planned.recomputeLayers - 1, budget)).fits).toBe(false)
  expect(await planOf(lora7b, 'auto', none.total)).toEqual(none)
  expect(await planOf(lora7b, 'auto', all.total - 1)).toMatchObject({ fits: false, recomputeLayers: layers })
})
