import { IftError } from '@ift/core'
import * as z from '@ift/core/options'
import { loraOptions, type LoraOptions } from './options.js'
import { checkPatterns } from './targets.js'

/** Fields of PEFT 0.21's LoraConfig that become options. */
const optionFields = {
  r: 'r',
  lora_alpha: 'alpha',
  lora_dropout: 'dropout',
  target_modules: 'targetModules',
  exclude_modules: 'excludeModules',
  layers_to_transform: 'layersToTransform',
  layers_pattern: 'layersPattern',
  bias: 'bias',
  modules_to_save: 'modulesToSave',
  rank_pattern: 'rankPattern',
  alpha_pattern: 'alphaPattern',
  use_rslora: 'rslora',
  use_dora: 'dora',
  lora_bias: 'loraBias',
  ensure_weight_tying: 'ensureWeightTying',
} as const satisfies Readonly<Record<string, keyof LoraOptions>>

/**
 * Fields that do not change what an adapter computes: descriptions, starts that the weights have left behind, and how the
 * frozen weights lie in PEFT's model (fan_in_fan_out, which PEFT itself corrects by the kind of the layer).
 */
const withoutEffect = new Set([
  'auto_mapping',
  'base_model_name_or_path',
  'corda_config',
  'enable_lora',
  'eva_config',
  'fan_in_fan_out',
  'inference_mode',
  'init_lora_weights',
  'loftq_config',
  'lora_ga_config',
  'megatron_core',
  'merge_weights',
  'peft_type',
  'peft_version',
  'qalora_group_size',
  'revision',
  'runtime_config',
  'task_type',
  // Another gradient of A; the output is LoRA's.
  'velora_config',
])

/** Starts that leave the base weights as they are; PiSSA's share of them can be found again. */
const plainStarts = new Set([true, false, 'gaussian', 'eva', 'orthogonal', 'mica', 'pissa'])

/**
 * What adapter_config.json says, as options. Throws IFT_ADAPTER_CONFIG, naming the field, for a variant that is not this
 * method and for a field with a value that is not known here.
 */
export function fromAdapterConfig(config: Readonly<Record<string, unknown>>): LoraOptions {
  for (const [field, value] of Object.entries(config))
    if (!Object.hasOwn(optionFields, field) && !withoutEffect.has(field) && isSet(value))
      throw new IftError(
        'IFT_ADAPTER_CONFIG',
        `adapter_config.json sets ${field}, which @ift/peft-lora does not know.`,
        'Merge the adapter with the tool that made it, and use the merged model.',
      )
  if (Array.isArray(config['enable_lora']))
    throw new IftError(
      'IFT_ADAPTER_CONFIG',
      'adapter_config.json sets enable_lora: the adapter is of a PEFT before 0.3, which adapted parts of a fused layer.',
      'Merge the adapter with the tool that made it, and use the merged model.',
    )
  const start = config['init_lora_weights']
  // The others moved part of the base weights into the factors.
  if (start !== undefined && start !== null && !plainStarts.has(start as string))
    throw new IftError(
      'IFT_ADAPTER_CONFIG',
      `adapter_config.json has init_lora_weights ${JSON.stringify(start)}: the adapter belongs to changed base weights, which it does not hold.`,
      'Save it once more in PEFT with path_initial_model_for_weight_conversion, which makes it fit the original base.',
    )
  const options: Record<string, unknown> = start === 'pissa' ? { init: 'pissa' } : {}
  for (const [field, option] of Object.entries(optionFields)) {
    const value = config[field]
    if (value !== undefined && value !== null)
      options[option] = field === 'layers_to_transform' && typeof value === 'number' ? [value] : value
  }
  const result = loraOptions.safeParse(options)
  if (!result.success)
    throw new IftError(
      'IFT_ADAPTER_CONFIG',
      `adapter_config.json is not a LoRA adapter's:\n${z.prettifyError({ issues: inFieldNames(result.error.issues) })}`,
    )
  checkPatterns(
    result.data,
    (option, pattern, why) =>
      new IftError(
        'IFT_ADAPTER_CONFIG',
        `adapter_config.json: ${fieldOf(option)} has "${pattern}", which is not a regular expression that can be used: ${why}`,
        'Write it without what the message names, or as a list of layer names.',
      ),
  )
  return result.data
}

const fieldOf = (option: PropertyKey) =>
  Object.entries(optionFields).find(([, name]) => name === option)?.[0] ?? String(option)

/** Issues under the names that the file has. */
const inFieldNames = (issues: readonly z.core.$ZodIssue[]): z.core.$ZodIssue[] =>
  issues.map((issue) => ({ ...issue, path: issue.path.map((part, i) => (i ? part : fieldOf(part))) }))

const isSet = (value: unknown) =>
  value !== undefined &&
  value !== null &&
  value !== false &&
  value !== '' &&
  !(typeof value === 'object' && Object.keys(value).length === 0)
