import { AdaptedLinear, constant, zeros, type AdapterTensor, type MergedWeights } from '@ift/core/peft'
import { ops, Parameter, type Linear, type Tensor } from '@ift/tensor'

/** The projections of an adapter, frozen, which all of its layers share. */
interface SharedProjections {
  /** [r, widest input] */
  readonly a: Parameter
  /** [widest output, r] */
  readonly b: Parameter
}

interface VeraSettings {
  readonly dropout: number
  /** Start of lambda_d. */
  readonly dInitial: number
}

/**
 * y = W x + bias + λ_b ∘ B (λ_d ∘ A dropout(x)) (Kopiczko et al. 2024, arXiv:2310.11454): λ_b [out] and λ_d [r] are trained, A and
 * B are the first columns and rows of the shared projections. x [N, in] -> [N, out].
 */
export class VeraLinear extends AdaptedLinear {
  readonly vera_lambda_b: Parameter
  readonly vera_lambda_d: Parameter
  readonly #projections: SharedProjections

  constructor(
    base: Linear,
    projections: SharedProjections,
    readonly settings: VeraSettings,
  ) {
    super(base)
    this.#projections = projections
    this.vera_lambda_b = new Parameter([base.outFeatures])
    this.vera_lambda_d = new Parameter([projections.a.shape[0]!])
  }

  tensors(): readonly AdapterTensor[] {
    const { vera_lambda_b, vera_lambda_d, settings } = this
    return [
      { name: 'vera_lambda_b', parameter: vera_lambda_b, start: zeros, decay: false },
      { name: 'vera_lambda_d', parameter: vera_lambda_d, start: constant(settings.dInitial), decay: false },
    ]
  }

  get stochastic(): boolean {
    return this.settings.dropout > 0
  }

  protected adapted(x: Tensor, addTo?: Tensor): Tensor {
    const { base_layer: base, settings, training } = this
    const dropped = training && settings.dropout > 0 ? ops.dropout(x, settings.dropout) : x
    return ops.lowRankLinear(x, base.weight.operand, this.down(), this.up(), {
      ...{ scale: 1, bias: base.bias?.value, addTo, dropped },
    })
  }

  merged(): MergedWeights {
    const delta = ops.matmul(ops.cast(this.up(), 'f32'), ops.cast(this.down(), 'f32'))
    return { weight: ops.add(this.frozen(), delta) }
  }

  /** A [r, in]. */
  private down(): Tensor {
    const { a } = this.#projections
    const count = this.inFeatures
    return count === a.shape[1] ? a.value.alias() : ops.gatherColumns(a.value, [{ first: 0, count }])
  }

  /** λ_b λ_dᵀ ∘ B, [out, r]: so nothing of the size of the activations is kept for the gradients of the two. */
  private up(): Tensor {
    const { vera_lambda_b: b, vera_lambda_d: d, outFeatures } = this
    const outer = ops.matmul(b.value.reshape(outFeatures, 1), d.value.reshape(1, d.shape[0]!))
    return ops.mul(this.#projections.b.value.rows(0, outFeatures), outer)
  }
}
