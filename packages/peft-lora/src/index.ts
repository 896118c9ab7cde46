import { definePeft } from '@ift/core'
import { lora } from './lora.js'

export const plugin = definePeft(lora)
export { lora } from './lora.js'
export { LoraEmbedding } from './lora-embedding.js'
export { LoraLinear, type LoraSettings } from './lora-linear.js'
export type { LoraOptions } from './options.js'
