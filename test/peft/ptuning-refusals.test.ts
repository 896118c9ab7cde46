// Options, adapters and models that the methods with virtual tokens refuse.
import { expect, test } from 'vitest'
import { IftError, type AdapterSource, type PeftMethod } from '@ift/core'
import { pTuning, prefixTuning, promptTuning } from '@ift/peft-ptuning'
import { Linear, replaceModules } from '@ift/tensor'
import { adapterOf, methods, withMethod } from '../fixture/ptuning.js'

type Options = Readonly<Record<string, unknown>>

const attach = (method: PeftMethod, options: Options, adapter?: AdapterSource, base = 'llama-tiny') =>
  withMethod(method, base, options, () => Promise.resolve(), adapter ? { adapter } : {})

test.each<readonly [PeftMethod, Options, RegExp]>([
  [
    promptTuning,
    { init: 'text' },
    /peft\.init: text starts from peft\.initText: expected a text, found none/,
  ],
  [promptTuning, { initText: 'a' }, /peft\.initText is for peft\.init: text, found peft\.init: random/],
  [
    pTuning,
    { encoderLayers: 3 },
    /peft\.encoderLayers is for peft\.encoder: lstm, found peft\.encoder: mlp with 3/,
  ],
  [
    pTuning,
    { encoderDropout: 0.1 },
    /peft\.encoderDropout is for peft\.encoder: lstm, found peft\.encoder: mlp/,
  ],
  [
    pTuning,
    { encoder: 'lstm', encoderLayers: 1, encoderDropout: 0.1 },
    /peft\.encoderDropout .* expected peft\.encoderLayers of 2 or more, found 1/,
  ],
  [prefixTuning, { encoderHidden: 8 }, /peft\.encoderHidden is for peft\.projection: true, found/],
])('%o: %o', async (method, options, message) => {
  const refused = attach(method, options)
  await expect(refused).rejects.toThrow(message)
  await expect(refused).rejects.toMatchObject({ code: 'IFT_PEFT_OPTIONS' })
})

test.each([0, -1, 1.5])('%d virtual tokens, and options of another method', (virtualTokens) => {
  for (const { options } of methods) {
    expect(options.safeParse({ virtualTokens }).success).toBe(false)
    expect(options.safeParse({ r: 8 }).success).toBe(false)
  }
  expect(promptTuning.options.safeParse({ encoder: 'mlp' }).success).toBe(false)
  expect(pTuning.options.safeParse({ projection: true }).success).toBe(false)
})

const prefix = {
  peft_type: 'PREFIX_TUNING',
  num_virtual_tokens: 2,
  token_dim: 16,
  num_layers: 3,
  num_attention_heads: 2,
}
const prompt = {
  peft_type: 'PROMPT_TUNING',
  num_virtual_tokens: 2,
  token_dim: 48,
  num_layers: 3,
  num_attention_heads: 6,
}
const encoder = {
  ...prompt,
  peft_type: 'P_TUNING',
  encoder_reparameterization_type: 'LSTM',
  encoder_num_layers: 2,
}

test.each<readonly [PeftMethod, Options, Readonly<Record<string, readonly number[]>>, string, RegExp]>([
  [
    prefixTuning,
    { ...prefix, num_attention_heads: 6 },
    { prompt_embeddings: [2, 96] },
    'IFT_ADAPTER_CONFIG',
    /num_attention_heads 6, expected 2/,
  ],
  [
    prefixTuning,
    { ...prefix, token_dim: 48 },
    { prompt_embeddings: [2, 96] },
    'IFT_ADAPTER_CONFIG',
    /token_dim 48, expected 16/,
  ],
  [
    prefixTuning,
    { ...prefix, num_layers: 4 },
    { prompt_embeddings: [2, 96] },
    'IFT_ADAPTER_CONFIG',
    /num_layers 4, expected 3/,
  ],
  [
    promptTuning,
    { ...prompt, token_dim: 64 },
    { prompt_embeddings: [2, 64] },
    'IFT_ADAPTER_CONFIG',
    /token_dim 64, expected 48/,
  ],
  [
    promptTuning,
    { ...prompt, num_transformer_submodules: 2 },
    { prompt_embeddings: [2, 48] },
    'IFT_ADAPTER_CONFIG',
    /num_transformer_submodules 2, expected 1/,
  ],
  [
    promptTuning,
    { ...prompt, prompt_tuning_init: 'WORDS' },
    { prompt_embeddings: [2, 48] },
    'IFT_ADAPTER_CONFIG',
    /prompt_tuning_init "WORDS", expected RANDOM/,
  ],
  [
    promptTuning,
    { ...prompt, modules_to_save: ['lm_head'] },
    { prompt_embeddings: [2, 48] },
    'IFT_ADAPTER_CONFIG',
    /sets modules_to_save/,
  ],
  [
    pTuning,
    { ...encoder, encoder_reparameterization_type: 'GRU' },
    { prompt_embeddings: [2, 48] },
    'IFT_ADAPTER_CONFIG',
    /encoder_reparameterization_type "GRU"/,
  ],
  [
    promptTuning,
    prompt,
    { prompt_embeddings: [3, 48] },
    'IFT_ADAPTER_SHAPE',
    /"prompt_embeddings" should be \[2, 48\], found \[3, 48\]/,
  ],
  [promptTuning, prompt, {}, 'IFT_ADAPTER_MISSING', /tensor "prompt_embeddings" is missing, found none/],
  [
    prefixTuning,
    prefix,
    { prompt_embeddings: [2, 96], prefix_task_cols: [2, 2] },
    'IFT_ADAPTER_UNEXPECTED',
    /"prefix_task_cols" is no part/,
  ],
  [
    prefixTuning,
    prefix,
    { 'prompt_encoder.embedding.weight': [2, 4] },
    'IFT_ADAPTER_MISSING',
    /"prompt_encoder\.transform\.0\.weight" is missing/,
  ],
])('an adapter: %o %j %j', async (method, config, tensors, code, message) => {
  const adapter = adapterOf(config, tensors)
  const refused = Promise.resolve().then(() =>
    attach(method, method.fromAdapterConfig(config) as Options, adapter),
  )
  await expect(refused).rejects.toThrow(message)
  await expect(refused).rejects.toMatchObject({ code })
})

test('options that an adapter has settled, and what is lost of it is said', async () => {
  const adapter = adapterOf(encoder, { prompt_embeddings: [2, 48] })
  const made = pTuning.fromAdapterConfig(encoder)
  for (const [option, value] of [
    ['encoder', 'mlp'],
    ['encoderHidden', 5],
    ['encoderDropout', 0.2],
  ] as const)
    await expect(attach(pTuning, { ...made, [option]: value }, adapter)).rejects.toThrow(
      new RegExp(`peft\\.${option}: .* holds what p-tuning made`),
    )
  await withMethod(
    pTuning,
    'llama-tiny',
    { ...made },
    async ({ peft }) => {
      expect(peft.notes!.join()).toMatch(/holds the rows that an encoder made/)
      expect([...peft.trainable()].map(({ name }) => name)).toEqual(['prompt_embeddings'])
      expect((await peft.save()).config).toMatchObject({ encoder_reparameterization_type: 'LSTM' })
    },
    { adapter },
  )
})

test.each<readonly [PeftMethod, Options]>([
  [pTuning, { ...encoder, encoder_num_layers: 1, encoder_dropout: 0.1 }],
  [pTuning, { ...encoder, encoder_reparameterization_type: 'MLP', encoder_dropout: 0.1 }],
  [promptTuning, { ...prompt, prompt_tuning_init: 'TEXT' }],
  [promptTuning, { ...prompt, prompt_tuning_init: 'TEXT', prompt_tuning_init_text: null }],
])('fields of how the rows of an adapter began are kept, and not judged: %#', async (method, config) => {
  const adapter = adapterOf(config, { prompt_embeddings: [2, 48] })
  const made = method.fromAdapterConfig(config) as Options
  await withMethod(
    method,
    'llama-tiny',
    made,
    async ({ peft }) => {
      expect((await peft.save()).config).toMatchObject(config)
    },
    { adapter },
  )
})

test('keys of layers that differ in width', async () => {
  const refused = withMethod(prefixTuning, 'llama-tiny', {}, () => Promise.resolve(), {
    change: (model) =>
      replaceModules(
        model,
        (path) => path === 'model.layers.1.self_attn.k_proj',
        () => new Linear(48, 8),
      ),
  })
  await expect(refused).rejects.toThrow(/expected 16 outputs of self_attn\.k_proj in layer 1, .*found 8/)
  await expect(refused).rejects.toBeInstanceOf(IftError)
})
