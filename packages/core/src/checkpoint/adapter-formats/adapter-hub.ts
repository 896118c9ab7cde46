import { join } from 'node:path'
import { IftError } from '@ift/tensor'
import { adapterConfig, adapterWeights } from '../../files/adapter-files.js'
import { corrupt } from '../../files/errors.js'
import type { StoredTensor } from '../stored.js'
import { StoredAdapter, type AdapterConfig, type WritableFormat } from './format.js'
import { openTensors } from './open-tensors.js'

// Adapters as `adapters` 1.3 and its predecessor adapter-transformers save them: adapters/loading.py, configuration/adapter_config.py.

/** What a bottleneck has where its settings leave a field out (BnConfig). */
const defaults: AdapterConfig = {
  adapter_residual_before_ln: false,
  dropout: 0,
  init_weights: 'bert',
  inv_adapter: null,
  is_parallel: false,
  leave_out: [],
  ln_after: false,
  ln_before: false,
  original_ln_after: true,
  original_ln_before: false,
  phm_layer: false,
  residual_before_ln: true,
  scaling: 1,
  stochastic_depth: 0,
  use_gating: false,
}

/** What settings do not leave out. */
const required = ['mh_adapter', 'output_adapter', 'reduction_factor', 'non_linearity']

const sequential = {
  ...defaults,
  mh_adapter: false,
  output_adapter: true,
  original_ln_before: true,
  non_linearity: 'relu',
  reduction_factor: 16,
}
const double = {
  ...defaults,
  mh_adapter: true,
  output_adapter: true,
  non_linearity: 'swish',
  reduction_factor: 16,
}
const parallel = {
  ...defaults,
  mh_adapter: false,
  output_adapter: true,
  non_linearity: 'relu',
  reduction_factor: 2,
  init_weights: 'mam_adapter',
  is_parallel: true,
  scaling: 4,
}
const invertible = { inv_adapter: 'nice', inv_adapter_reduction_factor: 2 }
const hypercomplex = { phm_layer: true, reduction_factor: 32, non_linearity: 'gelu' }

/** Settings by the names that may stand for them. */
const named: ReadonlyMap<string, AdapterConfig> = new Map<string, AdapterConfig>([
  ['seq_bn', sequential],
  ['pfeiffer', sequential],
  ['double_seq_bn', double],
  ['houlsby', double],
  ['par_bn', parallel],
  ['parallel', parallel],
  ['scaled_par_bn', { ...parallel, scaling: 'learned' }],
  ['scaled_parallel', { ...parallel, scaling: 'learned' }],
  ['seq_bn_inv', { ...sequential, ...invertible }],
  ['pfeiffer+inv', { ...sequential, ...invertible }],
  ['double_seq_bn_inv', { ...double, ...invertible }],
  ['houlsby+inv', { ...double, ...invertible }],
  ['compacter', { ...double, ...hypercomplex }],
  ['compacter++', { ...sequential, ...hypercomplex }],
])

/** Names of activations before the format had a version. */
const renamedActivations: ReadonlyMap<unknown, string> = new Map([
  ['gelu', 'gelu_new'],
  ['gelu_orig', 'gelu'],
])

/** What modules were called in the first versions. */
const olderModules = /\b(?:attention|layer)_text_(?:task|lang)_adapters\b/g

const wrong = (path: string, problem: string, hint = 'Readable are the bottleneck adapters of AdapterHub.') =>
  new IftError('IFT_ADAPTER_CONFIG', `${path}: ${problem}`, hint)

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The fields of a bottleneck, all that have a default filled in. */
function fieldsOf(path: string, { config, version }: AdapterConfig): AdapterConfig {
  if (typeof config === 'string') {
    const found = named.get(config)
    if (found) return found
    throw wrong(path, `config is "${config}", expected ${[...named.keys()].join(', ')}, or its fields.`)
  }
  if (!isObject(config))
    throw wrong(
      path,
      `config expected the name or the fields of an adapter, found ${JSON.stringify(config)}.`,
    )
  const { architecture, invertible_adapter: older, ...fields } = config
  if ((architecture ?? null) !== null)
    throw wrong(path, `it is ${JSON.stringify(architecture)} of AdapterHub, which is not read.`)
  if (isObject(older)) {
    fields['inv_adapter'] = older['block_type']
    fields['inv_adapter_reduction_factor'] = older['reduction_factor']
  }
  for (const field of required)
    if ((fields[field] ?? null) === null)
      throw wrong(
        path,
        `config has no ${field}, which every bottleneck adapter of AdapterHub has; its fields are ${Object.keys(fields).slice(0, 20).join(', ')}.`,
      )
  const activation = fields['non_linearity']
  if (version === undefined) fields['non_linearity'] = renamedActivations.get(activation) ?? activation
  return { ...defaults, ...fields }
}

/** AdapterHub's name for a kind of bottleneck, which says the method. */
const typeOf = ({ is_parallel: isParallel, mh_adapter: afterAttention }: AdapterConfig): string =>
  isParallel === true ? 'PAR_BN' : afterAttention === true ? 'DOUBLE_SEQ_BN' : 'SEQ_BN'

/** Tensors under the names of today. */
function renamed(path: string, tensors: ReadonlyMap<string, StoredTensor>): Map<string, StoredTensor> {
  const result = new Map<string, StoredTensor>()
  for (const [name, tensor] of tensors) {
    const today = name.replaceAll(olderModules, 'adapters')
    if (result.has(today)) throw corrupt(path, `two of its tensors are ${today}`)
    result.set(today, tensor)
  }
  return result
}

/** Fields that change nothing unless one that is refused is set, as the library writes them. */
const withoutEffect: AdapterConfig = {
  cross_adapter: false,
  factorized_phm_W: true,
  factorized_phm_rule: false,
  hypercomplex_nonlinearity: 'glorot-uniform',
  init_weights_seed: null,
  inv_adapter_reduction_factor: null,
  learn_phm: true,
  phm_bias: true,
  phm_c_init: 'normal',
  phm_dim: 4,
  phm_init_range: 0.0001,
  phm_rank: 1,
  shared_W_phm: false,
  shared_phm_rule: true,
}

/** What stands beside the fields of the adapter, besides `model_name` and `version`. */
const descriptions = ['hidden_size', 'model_class', 'model_type', 'name', 'type']

/** The library whose files are written: those of no version have other names of activations. */
const version = 'adapters.1.3.0'

const sorted = (object: AdapterConfig): AdapterConfig =>
  Object.fromEntries(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)))

/**
 * AdapterHub: settings with `config`, the fields of the adapter or a name for them, and tensors under the path of the decoder
 * layer and the adapter's own name. `peft_type` becomes `SEQ_BN`, `DOUBLE_SEQ_BN` or `PAR_BN`, and the fields stand beside `name`,
 * `model_name` and the rest. Files of a head (`head_config.json`, `pytorch_model_head.bin`) are not looked at.
 */
export const adapterHubFormat: WritableFormat = {
  program: 'AdapterHub',
  weights: adapterWeights.adapterHub,
  fits: ({ config }) =>
    config !== null && (config['peft_type'] ?? null) === null && (config['config'] ?? null) !== null,
  async open({ dir, config }, weights) {
    const path = join(dir, adapterConfig)
    const fields: Record<string, unknown> = { ...fieldsOf(path, config!) }
    const tensors = renamed(weights, await openTensors(weights))
    // Adapters of tasks were saved with the invertible adapter of their language named, and without it.
    const names = [...tensors.keys()]
    if (!names.some((name) => /\binvertible_(?:lang_)?adapters\b/.test(name)))
      Object.assign(fields, { inv_adapter: null, inv_adapter_reduction_factor: null })
    const { config: _nested, model_name: base, ...about } = config!
    const known = typeof base === 'string' && base !== '' ? { base_model_name_or_path: base } : {}
    const settings = { ...about, ...known, ...fields, peft_type: typeOf(fields) }
    return new StoredAdapter(weights, [weights, path], settings, tensors)
  },
  written: 'adapter.safetensors',
  settings({ peft_type: _type, base_model_name_or_path: base, ...settings }) {
    const config: Record<string, unknown> = { ...defaults, ...withoutEffect }
    const about: Record<string, unknown> = {}
    for (const [field, value] of Object.entries(settings))
      if (Object.hasOwn(double, field) || Object.hasOwn(withoutEffect, field)) config[field] = value
      else if (descriptions.includes(field)) about[field] = value
    return sorted({ ...about, config: sorted(config), model_name: base ?? null, version })
  },
}
