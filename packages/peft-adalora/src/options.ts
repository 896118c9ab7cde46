import * as z from '@ift/core/options'
import { besideOptions, targetOptions } from '@ift/core/peft'

const steps = z.number().int().min(0).default(0)
const decay = z.number().gt(0).lt(1).default(0.85)

/** Options of the method as a config writes them. */
export const adaloraOptions = z.strictObject({
  initR: z.number().int().positive().default(12).describe('Rank that every layer begins with.'),
  targetR: z
    .number()
    .int()
    .positive()
    .default(8)
    .describe('Mean rank of the layers at the end; below initR. What each one keeps is found in training.'),
  tinit: steps.describe('Optimiser steps at the beginning in which nothing is pruned.'),
  tfinal: steps.describe('Optimiser steps at the end in which the ranks stay as they are.'),
  deltaT: z.number().int().positive().default(1).describe('Steps from one pruning to the next.'),
  beta1: decay.describe('Decay of the mean sensitivity of a weight.'),
  beta2: decay.describe('Decay of the deviation from it.'),
  orthRegWeight: z
    .number()
    .min(0)
    .default(0.5)
    .describe('Weight of the penalty that keeps the singular vectors orthogonal.'),
  alpha: z.number().positive().default(16).describe('The update is scaled by alpha / initR.'),
  dropout: z.number().min(0).max(0.99).default(0.05).describe('Dropout on the input of A while training.'),
  ...targetOptions,
  ...besideOptions,
})

export type AdaloraOptions = z.output<typeof adaloraOptions>
