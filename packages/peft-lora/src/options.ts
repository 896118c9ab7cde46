import * as z from '@ift/core/options'
import { besideOptions, patternOptions, targetOptions, tokenRowsOption } from '@ift/core/peft'

/** Options of the method as a config writes them. */
export const loraOptions = z.strictObject({
  r: z.number().int().positive().default(8).describe('Rank.'),
  alpha: z.number().positive().default(16).describe('The update is scaled by alpha / r.'),
  dropout: z.number().min(0).max(0.99).default(0.05).describe('Dropout on the input of A while training.'),
  ...targetOptions,
  ...besideOptions,
  ...patternOptions,
  ...tokenRowsOption,
  rslora: z
    .boolean()
    .default(false)
    .describe('Scale by alpha / sqrt(r) (Kalajdzievski 2023, arXiv:2312.03732).'),
  dora: z
    .boolean()
    .default(false)
    .describe('Train magnitude and direction apart (Liu et al. 2024, arXiv:2402.09353).'),
  loraBias: z.boolean().default(false).describe('Train a bias of B besides, scaled as B is.'),
  loraPlusRatio: z
    .number()
    .positive()
    .default(1)
    .describe('Learning rate of B over that of A (LoRA+, Hayou et al. 2024, arXiv:2402.12354).'),
  init: z
    .enum(['kaiming', 'gaussian', 'pissa', 'olora'])
    .default('kaiming')
    .describe(
      'Start of A and B; pissa takes the principal components of the weights (Meng et al. 2024, arXiv:2404.02948), olora their QR decomposition (Büyükakyüz 2024, arXiv:2406.01775).',
    ),
})

export type LoraOptions = z.output<typeof loraOptions>

/** Whether a start moves part of the base weights into A and B. */
export const changesWeights = (init: LoraOptions['init']): init is 'pissa' | 'olora' =>
  init === 'pissa' || init === 'olora'
