import * as z from '@ift/core/options'
import { besideOptions, targetOptions } from '@ift/core/peft'

/** Options of the method as a config writes them. */
export const veraOptions = z.strictObject({
  r: z.number().int().positive().default(256).describe('Rank of the projections; many more than of LoRA.'),
  dropout: z.number().min(0).max(0.99).default(0).describe('Dropout on the input of A while training.'),
  dInitial: z.number().default(0.1).describe('Start of lambda_d, the trained factors between A and B.'),
  projectionPrngKey: z.number().int().default(0).describe('Seed of the projections, as PyTorch takes it.'),
  saveProjection: z
    .boolean()
    .default(true)
    .describe('Write the projections into the adapter; without them it is loaded by their seed.'),
  ...targetOptions,
  bias: z
    .enum(['none', 'all', 'vera_only'])
    .default('none')
    .describe('Biases that are trained besides: none, all of the model, those of the adapted layers.'),
  modulesToSave: besideOptions.modulesToSave,
})

export type VeraOptions = z.output<typeof veraOptions>
