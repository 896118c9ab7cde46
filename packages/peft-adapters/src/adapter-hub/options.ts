import * as z from '@ift/core/options'
import { activationNames } from '../activations.js'

const reduction = z.number().positive()

/** Options of every kind of adapter, with the defaults that kinds share. */
const common = {
  reductionFactor: z
    .union([reduction, z.record(z.string().regex(/^(?:\d+|default)$/), reduction)])
    .describe(
      'Hidden size over width of the bottleneck: a number, or numbers by layer, such as { "0": 8, default: 16 }.',
    ),
  nonLinearity: z.enum(activationNames).describe('Function of the bottleneck.'),
  originalLnAfter: z
    .boolean()
    .default(true)
    .describe('Add the residual behind the adapter, as the layer does without one.'),
  lnBefore: z.boolean().default(false).describe('A norm in front of the bottleneck.'),
  lnAfter: z.boolean().default(false).describe('A norm behind the bottleneck.'),
  scaling: z
    .union([z.number(), z.enum(['learned', 'channel'])])
    .describe(
      "Factor of the branch: a number, 'learned' for one that is trained, 'channel' for one by column.",
    ),
  leaveOut: z
    .array(z.number().int().min(0))
    .default([])
    .describe('Indices of decoder layers without an adapter.'),
  dropout: z
    .number()
    .min(0)
    .max(0.99)
    .default(0)
    .describe('Dropout on what the branch adds, while training.'),
}

const mhAdapter = z.boolean().default(false).describe('An adapter beside the attention of each layer too.')
const outputAdapter = z.boolean().default(true).describe('An adapter at the feed-forward of each layer.')

const initWeights = z
  .enum(['bert', 'houlsby', 'mam_adapter'])
  .describe(
    'Start: N(0, 0.02²) (bert), N(0, 0.01²) within two deviations (houlsby), or uniform down and zero up (mam_adapter).',
  )

/** What an adapter behind its sublayer has besides. */
const behind = {
  residualBeforeLn: z
    .boolean()
    .default(true)
    .describe("The branch is added to the sublayer's output; off, to what it reads."),
  adapterResidualBeforeLn: z
    .boolean()
    .default(false)
    .describe('With lnAfter: the norm reads the sum and not the branch alone.'),
}

const readsSum = (on: boolean) =>
  z
    .boolean()
    .default(on)
    .describe("The branch reads the sum of the sublayer's output and the residual; off, the output alone.")

/** AdapterHub's double_seq_bn, always after attention (Houlsby et al. 2019, arXiv:1902.00751). */
export const houlsbyOptions = z.strictObject({
  ...common,
  ...behind,
  reductionFactor: common.reductionFactor.default(16),
  nonLinearity: common.nonLinearity.default('swish'),
  outputAdapter,
  originalLnBefore: readsSum(false),
  scaling: common.scaling.default(1),
  initWeights: initWeights.default('bert'),
})

/** AdapterHub's seq_bn, after the feed-forward alone (Pfeiffer et al. 2020, arXiv:2005.00247). */
export const pfeifferOptions = z.strictObject({
  ...common,
  ...behind,
  reductionFactor: common.reductionFactor.default(16),
  nonLinearity: common.nonLinearity.default('relu'),
  originalLnBefore: readsSum(true),
  scaling: common.scaling.default(1),
  initWeights: initWeights.default('bert'),
})

/** AdapterHub's par_bn (He et al. 2021, arXiv:2110.04366). */
export const parallelOptions = z.strictObject({
  ...common,
  reductionFactor: common.reductionFactor.default(2),
  nonLinearity: common.nonLinearity.default('relu'),
  mhAdapter,
  outputAdapter,
  scaling: common.scaling.default(4),
  initWeights: initWeights.default('mam_adapter'),
})

export type HoulsbyOptions = z.output<typeof houlsbyOptions>
export type PfeifferOptions = z.output<typeof pfeifferOptions>
export type ParallelOptions = z.output<typeof parallelOptions>
/** Of an adapter of any kind. */
export type HubOptions = HoulsbyOptions | PfeifferOptions | ParallelOptions

/** Options by AdapterHub's fields. */
export const fields = {
  adapter_residual_before_ln: 'adapterResidualBeforeLn',
  dropout: 'dropout',
  init_weights: 'initWeights',
  leave_out: 'leaveOut',
  ln_after: 'lnAfter',
  ln_before: 'lnBefore',
  mh_adapter: 'mhAdapter',
  non_linearity: 'nonLinearity',
  original_ln_after: 'originalLnAfter',
  original_ln_before: 'originalLnBefore',
  output_adapter: 'outputAdapter',
  reduction_factor: 'reductionFactor',
  residual_before_ln: 'residualBeforeLn',
  scaling: 'scaling',
} as const
