import { definePeft } from '@ift/core'
import { vera } from './vera.js'

export const plugin = definePeft(vera)
export { vera }
export type { VeraOptions } from './options.js'
