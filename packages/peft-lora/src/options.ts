import { IftError } from '@ift/core'
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
      "Suffixes of layer names (linear layers, the head, embeddings), a regular expression, or 'all-linear'; the family's default when absent.",
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
  modulesToSave: z.array(z.string()).default([]).describe('Modules trained whole, such as lm_head.'),
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

/** What adapter_config.json says, as options. Throws IFT_ADAPTER_CONFIG for a variant that is not this method. */
export function fromAdapterConfig(config: Readonly<Record<string, unknown>>): LoraOptions {
  for (const key of [
    'use_qalora',
    'use_bdlora',
    'megatron_config',
    'layer_replication',
    'target_parameters',
    'trainable_token_indices',
  ])
    if (present(config[key]))
      throw new IftError(
        'IFT_ADAPTER_CONFIG',
        `adapter_config.json sets ${key}, which @ift/peft-lora does not know.`,
        'Merge the adapter with the tool that made it, and use the merged model.',
      )
  const start = config['init_lora_weights']
  // These moved part of the base weights into the factors; only PiSSA's share can be found again.
  if (typeof start === 'string' && /^(pissa_niter_\d+|olora|corda|loftq|lora_ga)$/.test(start))
    throw new IftError(
      'IFT_ADAPTER_CONFIG',
      `adapter_config.json has init_lora_weights "${start}": the adapter belongs to changed base weights, which it does not hold.`,
      'Save it once more in PEFT with path_initial_model_for_weight_conversion, which makes it fit the original base.',
    )
  const options: Record<string, unknown> = {
    r: config['r'],
    alpha: config['lora_alpha'],
    dropout: config['lora_dropout'],
    targetModules: config['target_modules'],
    excludeModules: config['exclude_modules'],
    layersToTransform:
      typeof config['layers_to_transform'] === 'number'
        ? [config['layers_to_transform']]
        : config['layers_to_transform'],
    layersPattern: config['layers_pattern'],
    bias: config['bias'],
    modulesToSave: config['modules_to_save'],
    rankPattern: config['rank_pattern'],
    alphaPattern: config['alpha_pattern'],
    rslora: config['use_rslora'],
    dora: config['use_dora'],
    init: start === 'pissa' ? 'pissa' : undefined,
  }
  const result = loraOptions.safeParse(
    Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined && value !== null)),
  )
  if (!result.success)
    throw new IftError(
      'IFT_ADAPTER_CONFIG',
      `adapter_config.json is not a LoRA adapter's:\n${z.prettifyError(result.error)}`,
    )
  return result.data
}

const present = (value: unknown) => value !== undefined && value !== null && value !== false
