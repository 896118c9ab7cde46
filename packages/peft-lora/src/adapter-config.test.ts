import { expect, test } from 'vitest'
import { lora } from './lora.js'

const fromAdapterConfig = (config: Readonly<Record<string, unknown>>) => lora.fromAdapterConfig(config)

const base = { peft_type: 'LORA', r: 4, lora_alpha: 8, target_modules: ['q_proj'] }

test.each([
  [{ target_modules: '(((' }, /target_modules has "\(\(\(", .*missing \)/],
  [{ target_modules: '(q)_proj\\1' }, /target_modules has .*back reference/],
  [{ target_modules: '(?>q)_proj' }, /target_modules has .*atomic group/],
  [{ target_modules: 'q*+_proj' }, /target_modules has .*possessive/],
  [{ target_modules: '(q)?(?(1)_proj|x)' }, /target_modules has .*conditional/],
  [{ exclude_modules: '[' }, /exclude_modules has "\["/],
  [{ rank_pattern: { '(((': 2 } }, /rank_pattern has "\(\(\("/],
  [{ alpha_pattern: { '*': 2 } }, /alpha_pattern has "\*"/],
  [{ layers_to_transform: [0], layers_pattern: ['layers', ')'] }, /layers_pattern has "\)"/],
  [{ modules_to_save: ['lm_head('] }, /modules_to_save has "lm_head\("/],
  [{ r: 'four' }, / r: .*, found "four"/],
  [{ lora_alpha: -1 }, / lora_alpha: .*, found -1/],
  [{ rank_pattern: { q_proj: 1.5 } }, / rank_pattern\.q_proj: .*, found 1\.5/],
  [{ init_lora_weights: 'corda' }, /init_lora_weights "corda"/],
  [{ init_lora_weights: 'of-next-year' }, /init_lora_weights "of-next-year"/],
  [{ alora_invocation_tokens: [1, 2] }, /sets alora_invocation_tokens to \[1,2\],/],
  [{ kasa_config: { beta: 1e-4 } }, /sets kasa_config to \{"beta":0\.0001\},/],
  [{ monteclora_config: { a: 1 } }, /sets monteclora_config/],
  [{ arrow_config: { top_k: 3 } }, /sets arrow_config/],
  [{ use_bdlora: { a: 1 } }, /sets use_bdlora/],
  [{ use_qalora: true }, /sets use_qalora to true,/],
  [{ layer_replication: [[0, 2]] }, /sets layer_replication/],
  [{ target_parameters: ['experts.up'] }, /sets target_parameters/],
  [{ trainable_token_indices: [] }, / trainable_token_indices: .*, found \[\]/],
  [{ trainable_token_indices: { wte: [-1] } }, / trainable_token_indices\.wte\.0: .*, found -1/],
  [{ megatron_config: { a: 1 } }, /sets megatron_config/],
  [{ field_of_next_year: 'yes' }, /sets field_of_next_year to "yes",/],
  [{ enable_lora: [true, false] }, /sets enable_lora to \[true,false\]:/],
])('%o is refused by name', (fields, message) => {
  expect(() => fromAdapterConfig({ ...base, ...fields })).toThrow(
    expect.objectContaining({
      code: 'IFT_ADAPTER_CONFIG',
      message: expect.stringMatching(message) as string,
    }),
  )
})

test.each([
  [{ layers_to_transform: 3 }, { layersToTransform: [3] }],
  [{ layers_to_transform: [] }, { layersToTransform: [] }],
  [{ lora_bias: true }, { loraBias: true }],
  [{ trainable_token_indices: [7, 1] }, { trainableTokenIndices: [7, 1] }],
  [{ trainable_token_indices: { wte: [1] } }, { trainableTokenIndices: { wte: [1] } }],
  [{ ensure_weight_tying: true }, { ensureWeightTying: true }],
  [
    { use_rslora: true, use_dora: true },
    { rslora: true, dora: true },
  ],
  [{ fan_in_fan_out: true, megatron_core: 'megatron.core', loftq_config: {}, qalora_group_size: 16 }, {}],
  [{ init_lora_weights: 'eva', eva_config: { rho: 2 }, velora_config: { a: 1 } }, { init: 'kaiming' }],
  [{ field_of_next_year: null, another: false, third: [], fourth: {} }, {}],
])('%o', (fields, expected) => {
  expect(fromAdapterConfig({ ...base, ...fields })).toMatchObject(expected)
})
