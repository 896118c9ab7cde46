import { AdaptedEmbedding, normal, zeros, type AdapterTensor, type MergedWeights } from '@ift/core/peft'
import { ops, Parameter, type Embedding, type Tensor } from '@ift/tensor'
import type { LoraSettings } from './lora-linear.js'

/**
 * y = E[id] + scale · B A[id]: LoRA on a table (Hu et al. 2021, arXiv:2106.09685). ids i32 [N] -> [N, C]. A table that scales
 * its rows scales what is added to them, as PEFT does. Adapter files hold A as [r, V]; here it is [V, r], so that only the
 * rows of the ids are read and learned. No dropout, as in PEFT.
 */
export class LoraEmbedding extends AdaptedEmbedding {
  /** [V, r] */
  readonly lora_embedding_A: Parameter
  /** [C, r] */
  readonly lora_embedding_B: Parameter

  constructor(
    base_layer: Embedding,
    readonly settings: Pick<LoraSettings, 'r' | 'scale' | 'loraPlusRatio'>,
  ) {
    super(base_layer)
    this.lora_embedding_A = new Parameter([base_layer.count, settings.r])
    this.lora_embedding_B = new Parameter([base_layer.dim, settings.r])
  }

  /** PEFT's start of an embedding's: A zero, B N(0, 1). */
  tensors(): readonly AdapterTensor[] {
    const { loraPlusRatio: lrScale } = this.settings
    return [
      { name: 'lora_embedding_A', parameter: this.lora_embedding_A, start: zeros, turned: true },
      { name: 'lora_embedding_B', parameter: this.lora_embedding_B, start: normal(1), lrScale },
    ]
  }

  protected adapted(ids: Tensor): Tensor {
    const low = ops.embedding(this.lora_embedding_A, ids)
    const up = this.lora_embedding_B.value
    const alpha = this.settings.scale * this.base_layer.scale
    return ops.linear(low, up, { alpha, addTo: this.base_layer.call(ids) })
  }

  /** scale · A Bᵀ, f32 [V, C]. */
  delta(): Tensor {
    const [a, b] = [this.lora_embedding_A.value, this.lora_embedding_B.value]
    return ops.matmul(ops.cast(a, 'f32'), ops.cast(b, 'f32'), { transB: true, alpha: this.settings.scale })
  }

  merged(): MergedWeights {
    return { weight: ops.add(ops.cast(this.weight.value, 'f32'), this.delta()) }
  }
}
