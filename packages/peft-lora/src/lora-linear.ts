import {
  full,
  Linear,
  Module,
  noGrad,
  ops,
  Parameter,
  QuantizedTensor,
  scope,
  type LinearLike,
  type Tensor,
} from '@ift/tensor'

export interface LoraSettings {
  readonly r: number
  /** Factor of B·A. */
  readonly scale: number
  readonly dropout: number
  readonly dora: boolean
  /** Whether B has a bias, which the factor scales too. */
  readonly bias: boolean
}

/**
 * y = W x + b + scale · B A dropout(x) (Hu et al. 2021, arXiv:2106.09685). x [N, in] -> [N, out].
 *
 * With DoRA (Liu et al. 2024, arXiv:2402.09353) the rows of W + scale · B A have the trained length m:
 * y = m / ‖W + scale · B A‖ ⊙ (W + scale · B A) x + b; the norm counts as a constant in the gradient (§4.3 of the paper).
 */
export class LoraLinear extends Module<[x: Tensor, addTo?: Tensor], Tensor> implements LinearLike {
  readonly lora_A: Linear
  readonly lora_B: Linear
  readonly lora_magnitude_vector: Parameter | undefined
  /** Whether dropout is on. */
  training = false

  constructor(
    readonly base_layer: Linear,
    readonly settings: LoraSettings,
  ) {
    super()
    this.lora_A = new Linear(base_layer.inFeatures, settings.r)
    this.lora_B = new Linear(settings.r, base_layer.outFeatures, { bias: settings.bias })
    this.lora_magnitude_vector = settings.dora ? new Parameter([base_layer.outFeatures]) : undefined
  }

  get inFeatures(): number {
    return this.base_layer.inFeatures
  }

  get outFeatures(): number {
    return this.base_layer.outFeatures
  }

  protected forward(x: Tensor, addTo?: Tensor): Tensor {
    const { scale, dropout } = this.settings
    const dropped = this.training && dropout > 0 ? ops.dropout(x, dropout) : x
    const up = this.lora_B.weight.value
    if (!this.lora_magnitude_vector) {
      const { weight } = this.base_layer
      return ops.lowRankLinear(x, weight.operand, this.lora_A.weight.value, up, {
        scale,
        bias: this.bias(),
        addTo,
        dropped,
      })
    }
    const low = this.lora_A.call(dropped)
    const direction = ops.linear(low, up, {
      alpha: scale,
      addTo: ops.linear(dropped, this.base_layer.weight.operand),
    })
    const lengthened = ops.scaleColumns(
      direction,
      ops.mul(this.lora_magnitude_vector.value, this.inverseNorms()),
    )
    // A head adds to f32 logits in a model of any dtype.
    const plus = (y: Tensor, change: Tensor) => ops.add(y, ops.cast(change, y.dtype as 'f32'))
    if (dropped === x && !this.base_layer.bias) return addTo ? plus(addTo, lengthened) : lengthened
    // The bias is not lengthened, and dropout acts on what DoRA changes, not on the frozen layer itself.
    const plain = ops.linear(dropped, this.base_layer.weight.operand)
    return plus(this.base_layer.call(x, addTo), ops.sub(lengthened, plain))
  }

  /** The bias of the layer and scale times that of B, [out]. */
  bias(): Tensor | undefined {
    const base = this.base_layer.bias?.value
    if (!this.lora_B.bias) return base
    const own = ops.scale(this.lora_B.bias.value, this.settings.scale)
    return base ? ops.add(base, own) : own
  }

  /** scale · B A, f32 [out, in]. */
  delta(): Tensor {
    return ops.matmul(ops.cast(this.lora_B.weight.value, 'f32'), ops.cast(this.lora_A.weight.value, 'f32'), {
      alpha: this.settings.scale,
    })
  }

  /** W, f32 [out, in]: as it was trained on, which for a quantised layer are the values of its codes. */
  frozen(): Tensor {
    const { operand } = this.base_layer.weight
    return operand instanceof QuantizedTensor ? operand.dequantize('f32') : ops.cast(operand, 'f32')
  }

  /** Row norms of W + scale · B A, f32 [out]; a constant for the gradient. */
  norms(): Tensor {
    return noGrad(() => scope(() => ops.rowNorms(ops.add(this.frozen(), this.delta()))))
  }

  private inverseNorms(): Tensor {
    return noGrad(() =>
      scope(() => {
        const rows = ops.add(this.frozen(), this.delta())
        const { backend } = rows
        const [out, input] = [this.outFeatures, this.inFeatures]
        // A norm over columns gives 1 / sqrt(mean of squares) of every row besides: the inverse length times sqrt(in).
        const inverse = full(backend, [out], 0, 'f32')
        const ones = full(backend, [input], 1, 'f32')
        const rooted = full(backend, [out], 0, 'f32')
        backend.rmsNorm(
          full(backend, rows.shape, 0, 'f32').buf,
          rooted.buf,
          rows.buf,
          ones.buf,
          out,
          input,
          0,
          'f32',
        )
        backend.axpby(inverse.buf, 1 / Math.sqrt(input), rooted.buf, 0, rooted.buf, out, 'f32')
        return inverse
      }),
    )
  }
}
