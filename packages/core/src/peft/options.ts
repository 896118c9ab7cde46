import * as z from '../config/options.js'

const names = z.union([z.string(), z.array(z.string())])

/** Options that say which modules a method adapts; a method spreads them into its own. */
export const targetOptions = {
  targetModules: names
    .optional()
    .describe(
      "Suffixes of module names (linear layers and, where the method takes them, the head and embeddings), a regular expression as Python reads it, or 'all-linear'; the family's default when absent.",
    ),
  excludeModules: names.optional().describe('Modules to leave out, in the same form.'),
  layersToTransform: z
    .array(z.number().int().min(0))
    .optional()
    .describe('Indices of the decoder layers to adapt; all when absent.'),
  layersPattern: names
    .optional()
    .describe('Names of the lists that these indices count in, where they are not the usual ones.'),
}

/** Fields of PEFT's adapter_config.json by `targetOptions`. */
export const targetFields = {
  target_modules: 'targetModules',
  exclude_modules: 'excludeModules',
  layers_to_transform: 'layersToTransform',
  layers_pattern: 'layersPattern',
} as const

/** Options that say what is trained beside the adapted modules. */
export const besideOptions = {
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
}

/** Fields of PEFT's adapter_config.json by `besideOptions`. */
export const besideFields = {
  bias: 'bias',
  modules_to_save: 'modulesToSave',
  ensure_weight_tying: 'ensureWeightTying',
} as const

/** Options whose numbers differ from module to module. */
export const patternOptions = {
  rankPattern: z.record(z.string(), z.number().int().positive()).default({}).describe('Ranks by layer name.'),
  alphaPattern: z.record(z.string(), z.number().positive()).default({}).describe('Alphas by layer name.'),
}

/** Fields of PEFT's adapter_config.json by `patternOptions`. */
export const patternFields = { rank_pattern: 'rankPattern', alpha_pattern: 'alphaPattern' } as const

/** Field of PEFT's adapter_config.json by `tokenRowsOption`. */
export const tokenRowsField = { trainable_token_indices: 'trainableTokenIndices' } as const

/** What every module method can be asked for; a method leaves out what it does not have. */
export interface ModuleOptions {
  readonly targetModules?: string | readonly string[] | undefined
  readonly excludeModules?: string | readonly string[] | undefined
  readonly layersToTransform?: readonly number[] | undefined
  readonly layersPattern?: string | readonly string[] | undefined
  /** `lora_only` and the like: of the adapted layers. */
  readonly bias?: 'none' | 'all' | `${string}_only`
  readonly modulesToSave?: readonly string[]
  readonly ensureWeightTying?: boolean
  readonly trainableTokenIndices?: readonly number[] | Readonly<Record<string, readonly number[]>> | undefined
  readonly rankPattern?: Readonly<Record<string, number>>
  readonly alphaPattern?: Readonly<Record<string, number>>
}
