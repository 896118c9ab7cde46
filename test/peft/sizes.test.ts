// Sizes that no device has, in adapter_config.json and in options: an error of ift, at once and without memory.
import { describe, expect, test } from 'vitest'
import { openAdapter, type AdapterSource, type PeftMethod } from '@ift/core'
import { llama } from '@ift/model-llama'
import { allMethods } from '../../scripts/peft-matrix/subjects.js'
import { fixture } from '../fixture/files.js'
import { withMethod } from '../fixture/method.js'

const methods = new Map((await allMethods()).map(({ name, method }) => [name, method]))
const huge = [1e8, 1e9, 1e10, Number.MAX_SAFE_INTEGER]

/** Methods whose tensors have the sizes of the model alone. */
const ofTheModel = ['bitfit', 'ia3', 'ln-tuning']

interface Sized {
  /** A folder of fixtures/ with an adapter of it. */
  readonly folder: string
  /** What its config has instead, for a size. */
  readonly field: (size: number) => Readonly<Record<string, unknown>>
  /** Options of a method that starts anew; null where no option is a size. */
  readonly options: (size: number) => Readonly<Record<string, unknown>>
  readonly code?: string
}

const sized: Readonly<Record<string, readonly Sized[]>> = {
  lora: [
    { folder: 'peft-lora/lora', field: (r) => ({ r }), options: (r) => ({ r }) },
    {
      folder: 'peft-lora/lora',
      field: (r) => ({ rank_pattern: { v_proj: r } }),
      options: (r) => ({ rankPattern: { v_proj: r } }),
    },
    {
      folder: 'peft-lora/embedding',
      field: (r) => ({ r }),
      options: (r) => ({ r, targetModules: ['embed_tokens'] }),
    },
  ],
  adalora: [
    {
      folder: 'peft-adalora/llama',
      field: (r) => ({ init_r: r, rank_pattern: null }),
      options: (r) => ({ initR: r }),
    },
  ],
  vera: [
    { folder: 'peft-vera/llama', field: (r) => ({ r }), options: (r) => ({ r }) },
    { folder: 'peft-vera/by-key', field: (r) => ({ r }), options: (r) => ({ r, saveProjection: false }) },
  ],
  houlsby: ['bert', 'houlsby'].map((initWeights) => ({
    folder: 'peft-adapters/houlsby',
    field: (size) => ({ reduction_factor: 1 / size, init_weights: initWeights }),
    options: (size) => ({ reductionFactor: 1 / size, initWeights }),
  })),
  pfeiffer: [
    {
      folder: 'peft-adapters/pfeiffer',
      field: (size) => ({ reduction_factor: { default: 1 / size } }),
      options: (size) => ({ reductionFactor: { default: 1 / size } }),
    },
  ],
  parallel: [
    {
      folder: 'peft-adapters/parallel',
      field: (size) => ({ reduction_factor: 1 / size }),
      options: (size) => ({ reductionFactor: 1 / size }),
    },
  ],
  bottleneck: [
    {
      folder: 'peft-bottleneck/pfeiffer',
      field: (size) => ({ bottleneck_size: size }),
      options: (size) => ({ bottleneckSize: size }),
    },
  ],
  'prompt-tuning': ['random', 'sample-vocab'].map((init) => ({
    folder: 'peft-ptuning/llama-prompt',
    field: (count) => ({ num_virtual_tokens: count }),
    options: (count) => ({ virtualTokens: count, init }),
  })),
  'p-tuning': [
    {
      folder: 'peft-ptuning/llama-mlp',
      field: (count) => ({ num_virtual_tokens: count }),
      options: (count) => ({ virtualTokens: count }),
    },
    {
      folder: 'peft-ptuning/llama-lstm',
      field: (count) => ({ num_virtual_tokens: count }),
      options: (hidden) => ({ encoder: 'lstm', encoderHidden: hidden }),
    },
  ],
  'prefix-tuning': [
    {
      folder: 'peft-ptuning/llama-prefix',
      field: (count) => ({ num_virtual_tokens: count }),
      options: (count) => ({ virtualTokens: count }),
    },
    {
      folder: 'peft-ptuning/llama-projected',
      field: (count) => ({ num_virtual_tokens: count }),
      options: (hidden) => ({ projection: true, encoderHidden: hidden }),
    },
  ],
  'trainable-tokens': [
    {
      folder: 'peft-parts/tokens-llama',
      field: (id) => ({ token_indices: [id] }),
      options: (id) => ({ tokenIndices: [id] }),
      code: 'IFT_ADAPTER_CONFIG',
    },
  ],
}

test('every method is here', () => {
  expect([...Object.keys(sized), ...ofTheModel].sort()).toEqual([...methods.keys()].sort())
})

/** Puts a method on a model, and fails where it takes memory of this process. */
async function attach(method: PeftMethod, options: unknown, adapter?: AdapterSource): Promise<void> {
  const before = process.memoryUsage().rss
  try {
    await withMethod(method, llama, 'llama-tiny', options, () => Promise.resolve(), {
      ...(adapter && { adapter }),
    })
  } finally {
    expect(process.memoryUsage().rss - before).toBeLessThan(100e6)
  }
}

const cases = Object.entries(sized).flatMap(([name, all]) => all.map((one) => ({ name, ...one })))

describe.each(cases)('$name, $folder', ({ name, folder, field, options, code = 'IFT_ADAPTER_SHAPE' }) => {
  const method = methods.get(name)!

  test.each(huge)('%d in the config of an adapter', async (size) => {
    const held = await openAdapter(fixture(folder))
    const adapter: AdapterSource = {
      config: { ...held.config, ...field(size) },
      path: held.path,
      names: () => held.names(),
      shape: (tensor) => held.shape(tensor),
      read: (tensor) => held.read(tensor),
    }
    const attached = attach(method, method.fromAdapterConfig(adapter.config), adapter)
    await expect(attached).rejects.toMatchObject({ code })
  })

  // 1e8 may fit into the memory of a device.
  test.each(huge.slice(2))('%d in the options', async (size) => {
    const expected = name === 'trainable-tokens' ? 'IFT_PEFT_OPTIONS' : 'IFT_OUT_OF_MEMORY'
    await expect(attach(method, options(size))).rejects.toMatchObject({ code: expected })
  })
})

test('layers of an encoder', () => {
  const method = methods.get('p-tuning')!
  expect(method.options.safeParse({ encoder: 'lstm', encoderLayers: 1e9 }).success).toBe(false)
  expect(() => {
    method.fromAdapterConfig({ encoder_reparameterization_type: 'LSTM', encoder_num_layers: 1e9 })
  }).toThrow(expect.objectContaining({ code: 'IFT_ADAPTER_CONFIG' }))
})
