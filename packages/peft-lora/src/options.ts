import * as z from '@ift/core/options'

const names = z.union([z.string(), z.array(z.string())])

/** Options of the method as a config writes them. */
export const loraOptions = z.strictObject({
  r: z.number().int().positive().default(8).describe('Rank.'),
  alpha: z.number().positive().default(16).describe('The update is scaled by alpha / r.'),
  dropout: z.number().min(0).max(0.99).default(0.05).describe('Dropout on the input of A while training.'),
  targetModules: names
    .optional()
    .describe(
      "Suffixes of layer names (linear layers, the head, embeddings), a regular expression as Python reads it, or 'all-linear'; the family's default when absent.",
    ),
  excludeModules: names.optional().describe('Layers to leave out, in the same form.'),
  layersToTransform: z
    .array(z.number().int().min(0))
    .optional()
    .describe('Indices of the decoder layers to adapt; all when absent.'),
  layersPattern: names
    .optional()
    .describe('Names of the lists that these indices count in, where they are not the usual ones.'),
  bias: z
    .enum(['none', 'all', 'lora_only'])
    .default('none')
    .describe('Biases that are trained besides: none, all of the model, those of the adapted layers.'),
  modulesToSave: z
    .array(z.string())
    .default([])
    .describe(
      'Modules trained whole, by the end of their names: lm_head, or norm for every name that ends so. Of a tied head and embedding the one that is not named keeps the weights of the base.',
    ),
  ensureWeightTying: z
    .boolean()
    .default(false)
    .describe('Keep a tied head and embedding tied where modulesToSave names one of them.'),
  rankPattern: z.record(z.string(), z.number().int().positive()).default({}).describe('Ranks by layer name.'),
  alphaPattern: z.record(z.string(), z.number().positive()).default({}).describe('Alphas by layer name.'),
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
    .enum(['kaiming', 'gaussian', 'pissa'])
    .default('kaiming')
    .describe('Start of A and B; pissa takes the principal components (Meng et al. 2024, arXiv:2404.02948).'),
})

export type LoraOptions = z.output<typeof loraOptions>
