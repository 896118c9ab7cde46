import { AdaptedLinear, normal, zeros, type AdapterTensor, type MergedWeights } from '@ift/core/peft'
import { ops, Parameter, tensor, type Linear, type Tensor } from '@ift/tensor'

interface SvdSettings {
  /** Singular values at first. */
  readonly rank: number
  /** Which of them the layer has, where an adapter was pruned; all of them when absent. */
  readonly kept?: readonly boolean[] | undefined
  /** Factor of B E A. */
  readonly scale: number
  readonly dropout: number
}

/** The tensors of a layer that has singular values left: [r, in], [r] and [out, r]. */
export interface Triplets {
  readonly lora_A: Parameter
  readonly lora_E: Parameter
  readonly lora_B: Parameter
}

/**
 * y = W x + b + scale · B diag(E) A dropout(x): a singular value decomposition whose values E are pruned one by one
 * (AdaLoRA, Zhang et al. 2023, arXiv:2303.10512). x [N, in] -> [N, out]. A layer that has lost all of them is its base.
 */
export class SvdLinear extends AdaptedLinear {
  readonly lora_A: Parameter | undefined
  readonly lora_E: Parameter | undefined
  readonly lora_B: Parameter | undefined
  readonly rank: number
  /** Which of the `rank` values the file holds; all of them when null. */
  written: readonly boolean[] | null = null

  constructor(
    base_layer: Linear,
    readonly settings: SvdSettings,
  ) {
    super(base_layer)
    this.rank = settings.kept?.filter(Boolean).length ?? settings.rank
    if (this.rank === 0) return
    this.lora_A = new Parameter([this.rank, base_layer.inFeatures])
    this.lora_E = new Parameter([this.rank])
    this.lora_B = new Parameter([base_layer.outFeatures, this.rank])
  }

  /** Null where no singular value is left. */
  get triplets(): Triplets | null {
    const { lora_A, lora_E, lora_B } = this
    return lora_A && lora_E && lora_B ? { lora_A, lora_E, lora_B } : null
  }

  /** The paper's starts: E is zero, so that the layer computes what its base does. */
  tensors(): readonly AdapterTensor[] {
    if (!this.triplets) return []
    const { lora_A, lora_E, lora_B } = this.triplets
    return [
      { name: 'lora_A', parameter: lora_A, start: normal(0.02) },
      { name: 'lora_E', parameter: lora_E, start: zeros, fileShape: [this.rank, 1] },
      { name: 'lora_B', parameter: lora_B, start: normal(0.02) },
    ]
  }

  get stochastic(): boolean {
    return this.settings.dropout > 0
  }

  protected adapted(x: Tensor, addTo?: Tensor): Tensor {
    if (!this.triplets) return this.base_layer.call(x, addTo)
    const { lora_A, lora_E, lora_B } = this.triplets
    const { scale, dropout } = this.settings
    const { weight, bias } = this.base_layer
    // (x Aᵀ) diag(E) Bᵀ: E goes to the columns of B, which is smaller than rows of activations.
    return ops.lowRankLinear(x, weight.operand, lora_A.value, ops.scaleColumns(lora_B.value, lora_E.value), {
      scale,
      bias: bias?.value,
      addTo,
      dropped: this.training && dropout > 0 ? ops.dropout(x, dropout) : x,
    })
  }

  /** W + scale · B diag(E) A. */
  merged(): MergedWeights {
    if (!this.triplets) return { weight: this.frozen() }
    const { lora_A, lora_E, lora_B } = this.triplets
    const [a, e, b] = [lora_A, lora_E, lora_B].map(({ value }) => ops.cast(value, 'f32')) as [
      Tensor,
      Tensor,
      Tensor,
    ]
    return {
      weight: ops.add(this.frozen(), ops.matmul(ops.scaleColumns(b, e), a, { alpha: this.settings.scale })),
    }
  }

  /** The singular values of the first rank that the file holds. */
  get pattern(): readonly boolean[] {
    const { rank, kept = Array.from({ length: rank }, () => true) } = this.settings
    let at = 0
    return kept.map((own) => own && (this.written?.[at++] ?? true))
  }

  /** The rows and columns of what was not pruned; a layer without any has no tensors to write. */
  async saved(): Promise<ReadonlyMap<string, Tensor>> {
    const { written, triplets, rank, inFeatures, outFeatures } = this
    const rows = written?.flatMap((kept, i) => (kept ? [i] : []))
    if (!triplets || !rows || rows.length === rank || rows.length === 0) return new Map()
    const { lora_A, lora_E, lora_B } = triplets
    const [a, e, b] = [await lora_A.master.read(), await lora_E.master.read(), await lora_B.master.read()]
    const r = rows.length
    const cut = (values: Float32Array, shape: readonly number[]) =>
      tensor(lora_A.value.backend, values, shape, 'f32')
    return new Map([
      [
        'lora_A',
        cut(
          Float32Array.from(
            { length: r * inFeatures },
            (_, i) => a[rows[Math.floor(i / inFeatures)]! * inFeatures + (i % inFeatures)]!,
          ),
          [r, inFeatures],
        ),
      ],
      [
        'lora_E',
        cut(
          Float32Array.from(rows, (row) => e[row]!),
          [r, 1],
        ),
      ],
      [
        'lora_B',
        cut(
          Float32Array.from(
            { length: outFeatures * r },
            (_, i) => b[Math.floor(i / r) * rank + rows[i % r]!]!,
          ),
          [outFeatures, r],
        ),
      ],
    ])
  }
}
