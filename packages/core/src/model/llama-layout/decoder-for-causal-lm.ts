import type { LinearLike } from '@ift/tensor'
import { CausalDecoder } from '../causal-decoder.js'
import type { DecoderStep } from '../decoder-step.js'
import type { DecoderModel } from './decoder-model.js'

/** A model and its head under LLaMA's names. */
export class DecoderForCausalLM<S extends DecoderStep> extends CausalDecoder {
  readonly model: DecoderModel<S>
  lm_head: LinearLike

  constructor(model: DecoderModel<S>, head: LinearLike) {
    super()
    this.model = model
    this.lm_head = head
  }

  protected parts(): { stack: DecoderModel<S>; head: LinearLike } {
    return { stack: this.model, head: this.lm_head }
  }
}
