import { definePeft, type PeftMethod } from '@ift/core'
import { attachLora } from './attach.js'
import { fromAdapterConfig } from './adapter-config.js'
import { loraOptions, type LoraOptions } from './options.js'
import { targetRoles } from './targets.js'

/**
 * LoRA (Hu et al. 2021, arXiv:2106.09685) with rsLoRA, DoRA, LoRA+ and PiSSA; adapters in the format of Hugging Face
 * PEFT, both ways.
 */
export const lora: PeftMethod<LoraOptions> = {
  name: 'lora',
  peftTypes: ['LORA'],
  targetRoles,
  options: loraOptions,
  fromAdapterConfig,
  attach: attachLora,
}

export const plugin = definePeft(lora)
export { LoraEmbedding } from './lora-embedding.js'
export { LoraLinear, type LoraSettings } from './lora-linear.js'
export type { LoraOptions } from './options.js'
