import * as z from '@ift/core/options'
import { besideFields, besideOptions, targetFields, targetOptions } from '@ift/core/peft'
import { activationNames } from '../activations.js'

/** BottleneckConfig of Alpaca-CoT and LLM-Adapters. */
export const bottleneckOptions = z.strictObject({
  targetModules: targetOptions.targetModules,
  bottleneckSize: z.number().int().positive().default(256).describe('Width of the bottleneck.'),
  nonLinearity: z.enum(activationNames).default('tanh').describe('Function of the bottleneck.'),
  dropout: z
    .number()
    .min(0)
    .max(0.99)
    .default(0)
    .describe('Dropout on what the bottleneck reads, while training.'),
  scaling: z
    .union([z.number(), z.literal('learned')])
    .default(1)
    .describe("Factor of the branch: a number, or 'learned'."),
  initWeights: z
    .enum(['bert', 'mam_adapter'])
    .default('bert')
    .describe('Start: N(0, 0.02²) (bert), or uniform down and zero up (mam_adapter).'),
  useParallelAdapter: z
    .boolean()
    .default(false)
    .describe('The branch lies beside the layer (by default queries, keys and values).'),
  useAdapterP: z
    .boolean()
    .default(false)
    .describe(
      'By default behind the last layer of the feed-forward alone, and not in front of the first ones too.',
    ),
  bias: z
    .enum(['none', 'all', 'adapter_only'])
    .default('none')
    .describe('Biases that are trained besides: none, all of the model, those of the adapted layers.'),
  modulesToSave: besideOptions.modulesToSave,
})

export type BottleneckOptions = z.output<typeof bottleneckOptions>

/** Options by the fields of adapter_config.json. */
export const fields = {
  adapter_dropout: 'dropout',
  bias: besideFields.bias,
  bottleneck_size: 'bottleneckSize',
  init_weights: 'initWeights',
  modules_to_save: besideFields.modules_to_save,
  non_linearity: 'nonLinearity',
  scaling: 'scaling',
  target_modules: targetFields.target_modules,
  use_adapterp: 'useAdapterP',
  use_parallel_adapter: 'useParallelAdapter',
} as const
