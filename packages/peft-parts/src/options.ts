import * as z from '@ift/core/options'
import { besideOptions, targetOptions } from '@ift/core/peft'

/** Options of BitFit and of LN tuning as a config writes them. */
export const partOptions = z.strictObject({
  ...targetOptions,
  targetModules: targetOptions.targetModules.describe(
    'Ends of module names, or a regular expression as Python reads it; every such part of the model when absent.',
  ),
  modulesToSave: besideOptions.modulesToSave,
})

export type PartOptions = z.output<typeof partOptions>

export const tokenOptions = z.strictObject({
  tokenIndices: z
    .array(z.number().int().min(0))
    .min(1)
    .describe('Ids of the tokens whose rows are trained, within the table that the checkpoint has.'),
  targetModules: targetOptions.targetModules.describe(
    'Ends of the names of embeddings and heads, or a regular expression as Python reads it; the embedding when absent. A head that reads its table goes with it.',
  ),
})

export type TokenOptions = z.output<typeof tokenOptions>
