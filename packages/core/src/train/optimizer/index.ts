import type { OptimizerDefinition } from '../../contract/index.js'
import { adafactor } from './adafactor.js'
import { adamw } from './adamw.js'
import { lion } from './lion.js'

/** The optimizers of core; a plugin's of the same name comes before one of these. */
export const builtinOptimizers: readonly OptimizerDefinition[] = [adamw, lion, adafactor]
