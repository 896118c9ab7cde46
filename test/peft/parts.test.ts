import { describe, expect, test } from 'vitest'
import { openAdapter, type PeftMethod } from '@ift/core'
import { MemoryAdapter } from '@ift/core/peft'
import { lora } from '@ift/peft-lora'
import { bitfit, lnTuning, trainableTokens } from '@ift/peft-parts'
import { Embedding, TiedLinear } from '@ift/tensor'
import { fixture } from '../fixture/files.js'
import { readGolden, worst } from '../fixture/golden.js'
import { withMethod } from '../fixture/method.js'
import { allDefinitions, definitionOf } from '../fixture/models.js'
import { expectParity } from '../fixture/peft-parity.js'
import { lossOf } from '../fixture/peft.js'

const definitions = await allDefinitions()

const attached = (
  method: PeftMethod,
  base: string,
  options: unknown,
  use: Parameters<typeof withMethod>[4] = () => Promise.resolve(),
) => withMethod(method, definitionOf(definitions, base), base, options, use)

expectParity(lnTuning, 'peft-parts', [
  'ln-llama',
  'ln-bloom',
  'ln-gemma3',
  'ln-qwen3',
  'ln-gptj',
  'ln-chosen',
])
expectParity(bitfit, 'peft-parts', ['bitfit-llama', 'bitfit-bloom', 'bitfit-gptj', 'bitfit-chosen'])
expectParity(trainableTokens, 'peft-parts', [
  'tokens-llama',
  'tokens-tied',
  'tokens-bloom',
  'tokens-gemma3',
  'tokens-head',
])
expectParity(lora, 'peft-parts', [
  'lora-tokens',
  'lora-tokens-tied',
  'lora-tokens-modules',
  'lora-tokens-apart',
  'lora-tokens-head',
])

describe('trained rows', () => {
  const tokenIndices = [2, 30, 9, 1]

  test('are all that is trained: n rows, whatever the table', async () => {
    await attached(trainableTokens, 'llama-tiny', { tokenIndices }, ({ peft, model }) => {
      const trained = [...peft.trainable()]
      expect(trained.map(({ name, parameter }) => [name, parameter.shape])).toEqual([
        ['base_model.model.model.embed_tokens.trainable_tokens_delta', [4, 48]],
      ])
      const trainable = [...model.namedParameters()].filter(([, parameter]) => parameter.trainable)
      expect(trainable.map(([path]) => path)).toEqual(['model.embed_tokens.trainable_tokens_delta'])
      return Promise.resolve()
    })
  })

  test('begin as the rows of the table, and a token that the data lacks gets no gradient', async () => {
    const golden = await readGolden(fixture('llama-tiny/golden.safetensors'))
    const seen = new Set(golden.sequences.flatMap((ids) => [...ids]))
    const absent = Array.from({ length: 160 }, (_, id) => id).find((id) => !seen.has(id))!
    const indices = [absent, golden.sequences[0]![1]!]
    await attached(trainableTokens, 'llama-tiny', { tokenIndices: indices }, async (adapted) => {
      const { model, peft } = adapted
      const { parameter } = [...peft.trainable()][0]!
      const table = await model.embeddings.weight.value.read()
      const rows = indices.flatMap((id) => [...table.subarray(48 * id, 48 * id + 48)])
      expect([...(await parameter.value.read())]).toEqual(rows)
      await lossOf(adapted, golden)
      const gradient = await parameter.grad!.read()
      expect(gradient.subarray(0, 48).every((value) => value === 0)).toBe(true)
      expect(gradient.subarray(48).some((value) => value !== 0)).toBe(true)
      parameter.zeroGrad()
    })
  })

  test('of a tied pair are one, and the merged pair is tied', async () => {
    const base = 'llama-variants/tied-bias'
    await attached(trainableTokens, base, { tokenIndices }, async ({ model, peft, backend }) => {
      const { parameter } = [...peft.trainable()][0]!
      backend.fill(parameter.master.buf, 0.25, parameter.master.size, 'f32')
      await peft.merge!()
      const modules = [...model.namedModules()].map(([, module]) => module)
      const head = modules.find((module) => module instanceof TiedLinear)!
      const table = modules.find((module) => module instanceof Embedding)!
      expect(head.embedding).toBe(table)
      const values = await table.weight.value.read()
      expect(tokenIndices.map((id) => values[16 * id])).toEqual([0.25, 0.25, 0.25, 0.25])
      expect(values[16 * 3]).not.toBe(0.25)
    })
  })

  test.each([
    [
      { tokenIndices: [3, 160] },
      'IFT_PEFT_OPTIONS',
      /tokenIndices has the token id 160, and the table of "model\.embed_tokens" has the rows 0 to 159/,
    ],
    [{ tokenIndices: [3, 4, 3] }, 'IFT_PEFT_OPTIONS', /has the token id 3 twice/],
    [
      { tokenIndices: [3], targetModules: ['norm'] },
      'IFT_PEFT_TARGET',
      /which is not a linear layer or an embedding/,
    ],
  ])('%j is refused', async (options, code, message) => {
    await expect(attached(trainableTokens, 'llama-tiny', options)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
    })
  })

  test('of an adapter for a larger table are refused with its file', async () => {
    const { path, config } = await openAdapter(fixture('peft-parts/tokens-llama'))
    const adapter = new MemoryAdapter(path, {
      config: { ...config, token_indices: [3, 99] },
      tensors: new Map(),
    })
    const definition = definitionOf(definitions, 'llama-variants/plain')
    const run = withMethod(
      trainableTokens,
      definition,
      'llama-variants/plain',
      trainableTokens.fromAdapterConfig(adapter.config),
      () => Promise.resolve(),
      { adapter },
    )
    await expect(run).rejects.toMatchObject({
      code: 'IFT_ADAPTER_CONFIG',
      message: expect.stringMatching(
        /tokens-llama.*: token_indices of its config has the token id 99/,
      ) as string,
    })
  })
})

describe('trainableTokenIndices of LoRA', () => {
  const tied = 'llama-variants/tied-bias'
  test.each([
    ['llama-tiny', { trainableTokenIndices: [160] }, /trainableTokenIndices has the token id 160/],
    [
      'llama-tiny',
      { trainableTokenIndices: { wte: [1] } },
      /trainableTokenIndices names "wte", which no module of this model ends with/,
    ],
    [
      'llama-tiny',
      { trainableTokenIndices: { norm: [1] } },
      /means "model\.layers\.0\.input_layernorm", which is neither an embedding nor/,
    ],
    [
      'llama-tiny',
      { trainableTokenIndices: [1], modulesToSave: ['embed_tokens'] },
      /trainableTokenIndices names "model\.embed_tokens", which is trained whole already/,
    ],
    [
      'llama-tiny',
      { trainableTokenIndices: [1], targetModules: ['embed_tokens', 'q_proj'] },
      /means "model\.embed_tokens", which is neither an embedding nor a head with a table of its own/,
    ],
    [
      tied,
      { trainableTokenIndices: { embed_tokens: [1], lm_head: [2] }, ensureWeightTying: true },
      /has other ids for "lm_head" than for "model\.embed_tokens", whose table it reads/,
    ],
  ])('on %s, %j is refused', async (base, options, message) => {
    await expect(attached(lora, base, options)).rejects.toThrow(message)
  })

  test('the same ids for both of a tied pair are one set of rows', async () => {
    const trainableTokenIndices = { embed_tokens: [1, 2], lm_head: [1, 2] }
    await attached(lora, tied, { trainableTokenIndices }, async ({ peft }) => {
      const { config, tensors } = await peft.save()
      expect([...tensors.keys()].filter((name) => name.includes('token'))).toEqual([
        'base_model.model.model.embed_tokens.token_adapter.trainable_tokens_delta',
      ])
      expect(config['trainable_token_indices']).toEqual(trainableTokenIndices)
    })
  })

  test('a config without it has no such field, which older versions would warn of', async () => {
    await attached(lora, 'llama-tiny', {}, async ({ peft }) => {
      expect((await peft.save()).config).not.toHaveProperty('trainable_token_indices')
    })
  })
})

describe('without targets in the config', () => {
  test.each(['ln-llama', 'ln-gemma3', 'ln-gptj'])('%s trains the norms that PEFT trains', async (name) => {
    const adapter = await openAdapter(fixture('peft-parts', name))
    await attached(lnTuning, String(adapter.config['base_model_name_or_path']), {}, async ({ peft }) => {
      expect([...(await peft.save()).tensors.keys()].sort()).toEqual([...adapter.names()].sort())
    })
  })
})

test.each([
  [lnTuning, { targetModules: ['q_proj'] }, /q_proj.*, which is not a norm, as ln-tuning takes them/],
  [bitfit, {}, /bitfit trains biases, and this model \(llama\) has none/],
])('%o with %j is refused on LLaMA', async (method, options, message) => {
  await expect(attached(method, 'llama-tiny', options)).rejects.toMatchObject({
    code: 'IFT_PEFT_TARGET',
    message: expect.stringMatching(message) as string,
  })
})

test('layers of LN tuning are written by their names', async () => {
  await attached(lnTuning, 'llama-tiny', { layersToTransform: [0] }, async ({ peft }) => {
    expect((await peft.save()).config['target_modules']).toEqual([
      'model.layers.0.input_layernorm',
      'model.layers.0.post_attention_layernorm',
    ])
  })
})

test('frozen biases and norms are what they were when a method is switched off in the middle of training', async () => {
  const golden = await readGolden(fixture('peft-parts/bitfit-bloom/golden.safetensors'))
  await attached(bitfit, 'bloom/tiny', {}, async (adapted) => {
    const { peft } = adapted
    const before = await lossOf(adapted, golden)
    const trained = [...peft.trainable()]
    const values = await Promise.all(trained.map(({ parameter }) => parameter.master.read()))
    peft.setEnabled(false)
    peft.setEnabled(true)
    for (const [at, { name, parameter }] of trained.entries()) {
      expect(worst(await parameter.master.read(), values[at]!), name).toBe(0)
      parameter.zeroGrad()
    }
    expect(await lossOf(adapted, golden)).toBe(before)
    for (const { parameter } of trained) parameter.zeroGrad()
  })
})
