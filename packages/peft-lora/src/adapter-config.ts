import { IftError } from '@ift/core'

/** Fields of PEFT 0.21's LoraConfig that do not change what an adapter computes: starts that the weights have left behind, and runtime. */
export const ignoredFields: readonly string[] = [
  'corda_config',
  'enable_lora',
  'eva_config',
  'init_lora_weights',
  'loftq_config',
  'lora_ga_config',
  'megatron_core',
  'merge_weights',
  'qalora_group_size',
  // Another gradient of A; the output is LoRA's.
  'velora_config',
]

/** Starts that leave the base weights as they are; the shares of PiSSA and OLoRA can be found again. */
const plainStarts = new Set([true, false, 'gaussian', 'eva', 'orthogonal', 'mica', 'pissa', 'olora'])

/** The option that a start of an adapter_config.json means. Throws IFT_ADAPTER_CONFIG for what is not this method's. */
export function readStart(config: Readonly<Record<string, unknown>>): { readonly init?: 'pissa' | 'olora' } {
  if (Array.isArray(config['enable_lora']))
    throw new IftError(
      'IFT_ADAPTER_CONFIG',
      `adapter_config.json sets enable_lora to ${JSON.stringify(config['enable_lora'])}: the adapter is of a PEFT before 0.3, which adapted parts of a fused layer.`,
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
  return start === 'pissa' || start === 'olora' ? { init: start } : {}
}
