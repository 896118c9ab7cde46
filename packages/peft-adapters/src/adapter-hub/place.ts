import { IftError, type PeftContext } from '@ift/core'
import { isNamed } from '@ift/core/model'
import type { HubOptions } from './options.js'

/** Where an adapter stands. */
export interface Sublayer {
  /** Path of the decoder layer: `model.layers.3`. */
  readonly layer: string
  readonly index: number
  readonly kind: 'attention' | 'output'
}

/** The sublayer that ends in a linear layer of this path. */
export function sublayerOf(path: string, { roles }: Pick<PeftContext, 'roles'>): Sublayer {
  const [, layer = '', index] = /^(.*?\.(\d+))\./.exec(path) ?? []
  return {
    layer,
    index: Number(index),
    kind: isNamed(path, roles.feedForwardOut) ? 'output' : 'attention',
  }
}

/** Width of the bottleneck in a decoder layer: the integer part of hidden / reduction, and at least 1. */
export function widthOf({ reductionFactor }: HubOptions, layer: number, hidden: number): number {
  const factor =
    typeof reductionFactor === 'number'
      ? reductionFactor
      : (reductionFactor[String(layer)] ?? reductionFactor['default'])
  if (factor === undefined)
    throw new IftError(
      'IFT_PEFT_OPTIONS',
      `peft.reductionFactor expected a number for layer ${layer} or one by the name default, found ${Object.keys(reductionFactor).join(', ') || 'none'}.`,
      'Add it: { default: 16 }',
    )
  // As Python divides: 48 // 0.1 is 479.
  return Math.max(1, Math.round((hidden - (hidden % factor)) / factor))
}
