import { definePeft } from '@ift/core'
import { adalora } from './adalora.js'

export const plugin = definePeft(adalora)
export { adalora } from './adalora.js'
export type { AdaloraOptions } from './options.js'
export { SvdLinear } from './svd-linear.js'
