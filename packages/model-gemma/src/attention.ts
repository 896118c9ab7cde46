import { RotaryAttention, type RotaryStep } from '@ift/core/model'
import type { RopeOptions } from '@ift/tensor'
import type { GemmaConfig } from './config.js'
import { GemmaRMSNorm } from './norm.js'

/** What every layer of a forward pass shares. */
export interface GemmaStep extends RotaryStep {
  /** Of the layers that see a window only. */
  readonly localRotation: RopeOptions
}

/** Rotary attention whose heads of q and k are normed in Gemma 3; layers that see a window only turn by other angles. */
export class GemmaAttention extends RotaryAttention<GemmaStep> {
  readonly #local: boolean

  constructor(config: GemmaConfig, layer: number) {
    const { attentionBias, scale, third, eps } = config
    super(config, layer, {
      bias: attentionBias,
      outputBias: attentionBias,
      headNorm: third ? (dim) => new GemmaRMSNorm(dim, eps) : undefined,
      scale,
    })
    this.#local = config.local[layer] === true
  }

  protected override rotation(step: GemmaStep): RopeOptions {
    return this.#local ? step.localRotation : step.rotation
  }
}
