import { definePeft } from '@ift/core'
import { ia3 } from './ia3.js'

export const plugin = definePeft(ia3)
export { ia3 }
export type { Ia3Options } from './options.js'
