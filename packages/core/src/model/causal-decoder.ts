import {
  Linear,
  Module,
  TiedLinear,
  type CausalLM,
  type Embedding,
  type ForwardInput,
  type LinearLike,
  type Tensor,
} from '@ift/tensor'
import type { DecoderStack } from './decoder-stack.js'

/** A decoder stack, whatever its layers share. */
export type Stack = Module<[ForwardInput], Tensor> &
  Pick<DecoderStack, 'stepKey'> & {
    parts(): { readonly embeddings: Embedding; readonly layers: readonly Module[] }
  }

/**
 * A decoder stack with a head. A family declares both as fields under the names of its checkpoints and says which they are.
 */
export abstract class CausalDecoder extends Module<[ForwardInput], Tensor> implements CausalLM {
  protected abstract parts(): { readonly stack: Stack; readonly head: LinearLike }

  get lmHead(): LinearLike {
    return this.parts().head
  }

  get embeddings(): Embedding {
    return this.parts().stack.parts().embeddings
  }

  get layers(): readonly Module[] {
    return this.parts().stack.parts().layers
  }

  stepKey(maxPosition: number): number {
    return this.parts().stack.stepKey(maxPosition)
  }

  protected forward(input: ForwardInput): Tensor {
    return this.parts().stack.call(input)
  }
}

/** The head: the table of the embedding again, or a matrix of its own. [N, C] -> [N, V] */
export const languageHead = (
  config: { readonly hidden: number; readonly vocabSize: number; readonly tieWordEmbeddings?: boolean },
  embedding: Embedding,
): LinearLike =>
  config.tieWordEmbeddings === true ? new TiedLinear(embedding) : new Linear(config.hidden, config.vocabSize)
