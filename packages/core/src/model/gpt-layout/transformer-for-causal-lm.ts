import type { LinearLike } from '@ift/tensor'
import { CausalDecoder, type Stack } from '../causal-decoder.js'

/** A stack and its head under GPT-2's names. */
export class TransformerForCausalLM<T extends Stack> extends CausalDecoder {
  readonly transformer: T
  lm_head: LinearLike

  constructor(transformer: T, head: LinearLike) {
    super()
    this.transformer = transformer
    this.lm_head = head
  }

  protected parts(): { stack: T; head: LinearLike } {
    return { stack: this.transformer, head: this.lm_head }
  }
}
