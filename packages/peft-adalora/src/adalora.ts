import { IftError } from '@ift/core'
import { besideFields, fanInFanOut, moduleMethod, targetFields } from '@ift/core/peft'
import { AdaloraHandle, withoutEmpty } from './handle.js'
import { adaloraOptions, type AdaloraOptions } from './options.js'
import { checkLayers, keptValues, rankPattern } from './rank-pattern.js'
import { SvdLinear } from './svd-linear.js'

/** PEFT's guard against a rank of 0, which is part of the scale. */
const ofRank = 1e-5

/**
 * AdaLoRA (Zhang et al. 2023, arXiv:2303.10512): an update in the form of a singular value decomposition, whose singular values are pruned
 * in training where the loss depends on them least; adapters in the format of Hugging Face PEFT, both ways.
 */
export const adalora = moduleMethod<AdaloraOptions, SvdLinear>({
  name: 'adalora',
  peftType: 'ADALORA',
  targetRoles: ['query', 'value'],
  options: adaloraOptions,
  fields: {
    init_r: 'initR',
    target_r: 'targetR',
    tinit: 'tinit',
    tfinal: 'tfinal',
    deltaT: 'deltaT',
    beta1: 'beta1',
    beta2: 'beta2',
    orth_reg_weight: 'orthRegWeight',
    lora_alpha: 'alpha',
    lora_dropout: 'dropout',
    ...targetFields,
    ...besideFields,
  },
  // PEFT's own layer reads none of these either: the scale is alpha / init_r whatever r, use_rslora and alpha_pattern say.
  ignoredFields: [
    'alpha_pattern',
    'corda_config',
    'eva_config',
    'init_lora_weights',
    'lora_bias',
    'lora_ga_config',
    'megatron_core',
    'qalora_group_size',
    'r',
    'rank_pattern',
    'total_step',
    'use_rslora',
    'velora_config',
  ],
  check({ initR, targetR }, { adapter }) {
    // An adapter may have been made without pruning, and is then not pruned.
    if (targetR < initR || adapter) return
    throw new IftError(
      'IFT_PEFT_OPTIONS',
      `peft.targetR should be below peft.initR, ${initR}, so that there is something to prune; found ${targetR}.`,
      'Raise peft.initR or lower peft.targetR; for a rank that stays as it is, use peft.method lora.',
    )
  },
  layer: (base, { path, options, context }) =>
    new SvdLinear(base, {
      rank: options.initR,
      kept: context.adapter && keptValues(context.adapter, options.initR).get(path),
      scale: options.alpha / (options.initR + ofRank),
      dropout: options.dropout,
    }),
  source: (file, { layers }) => withoutEmpty(file, layers),
  writeConfig: ({ context, layers }) => ({
    fan_in_fan_out: fanInFanOut(context, layers),
    init_lora_weights: true,
    rank_pattern: rankPattern(layers),
    // Of the run, which the handle knows.
    total_step: null,
  }),
  handle(parts) {
    const { context, options, layers } = parts
    if (context.adapter) checkLayers(context.adapter, keptValues(context.adapter, options.initR), layers)
    return new AdaloraHandle(parts)
  },
})
