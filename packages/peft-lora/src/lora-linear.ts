import {
  AdaptedLinear,
  kaimingUniform,
  normal,
  zeros,
  type AdapterTensor,
  type MergedWeights,
} from '@ift/core/peft'
import { full, keep, Linear, noGrad, ops, Parameter, random, scope, tensor, type Tensor } from '@ift/tensor'
import { orthonormalFactors } from './olora.js'
import { principalFactors, testColumns } from './pissa.js'
import { startFromWeight, type InitialFactors } from './start-from-weight.js'

export interface LoraSettings {
  readonly r: number
  /** Factor of B·A. */
  readonly scale: number
  readonly dropout: number
  readonly dora: boolean
  /** Whether B has a bias, which the factor scales too. */
  readonly bias: boolean
  readonly init: 'kaiming' | 'gaussian' | 'pissa' | 'olora'
  /** Learning rate of B over that of A. */
  readonly loraPlusRatio: number
  /** Of the random numbers that a start draws. */
  readonly seed: number
}

/**
 * y = W x + b + scale · B A dropout(x) (Hu et al. 2021, arXiv:2106.09685). x [N, in] -> [N, out].
 *
 * With DoRA (Liu et al. 2024, arXiv:2402.09353) the rows of W + scale · B A have the trained length m:
 * y = m / ‖W + scale · B A‖ ⊙ (W + scale · B A) x + b; the norm counts as a constant in the gradient (§4.3 of the paper).
 */
export class LoraLinear extends AdaptedLinear {
  readonly lora_A: Linear
  readonly lora_B: Linear
  readonly lora_magnitude_vector: Parameter | undefined
  /** A and B at the start, where part of W moved into them. */
  initial: InitialFactors | undefined

  constructor(
    base_layer: Linear,
    readonly path: string,
    readonly settings: LoraSettings,
  ) {
    super(base_layer)
    this.lora_A = new Linear(base_layer.inFeatures, settings.r)
    this.lora_B = new Linear(settings.r, base_layer.outFeatures, { bias: settings.bias })
    this.lora_magnitude_vector = settings.dora ? new Parameter([base_layer.outFeatures]) : undefined
  }

  /** PEFT's starts: A Kaiming-uniform or Gaussian with deviation 1/r; B zero. */
  tensors(): readonly AdapterTensor[] {
    const { r, init, loraPlusRatio: lrScale } = this.settings
    const a = init === 'gaussian' ? normal(1 / r) : kaimingUniform(this.inFeatures)
    return [
      { name: 'lora_A.weight', parameter: this.lora_A.weight, start: a },
      { name: 'lora_B.weight', parameter: this.lora_B.weight, start: zeros, lrScale },
      ...(this.lora_B.bias
        ? [{ name: 'lora_B.bias', parameter: this.lora_B.bias, start: zeros, lrScale, decay: false }]
        : []),
      ...(this.lora_magnitude_vector
        ? [{ name: 'lora_magnitude_vector', parameter: this.lora_magnitude_vector, start: zeros }]
        : []),
    ]
  }

  get stochastic(): boolean {
    return this.settings.dropout > 0
  }

  get unmergeable(): string | null {
    return this.lora_B.bias && !this.base_layer.bias
      ? `The adapter has a bias for "${this.path}" (loraBias), which has none to fold it into.`
      : null
  }

  get added(): ((x: Tensor) => Tensor) | undefined {
    const { scale, dora, bias } = this.settings
    if (!this.enabled || dora || bias || this.initial || (this.training && this.stochastic)) return undefined
    const up = this.lora_B.weight.value
    return (x) => ops.linear(this.lora_A.call(x), up, { alpha: scale, outDtype: 'f32' })
  }

  async begin(stream: number): Promise<void> {
    const { init, r } = this.settings
    // Where memory is counted there is no weight to start from.
    const counting = this.lora_A.weight.value.backend.device.kind === 'counting'
    if (init === 'pissa' && !counting)
      this.initial = await startFromWeight(this, (w) => this.#principal(w, stream))
    if (init === 'olora' && !counting)
      this.initial = await startFromWeight(this, (w) => orthonormalFactors(w, r))
    if (!this.lora_magnitude_vector) return
    this.lora_magnitude_vector.assign(noGrad(() => scope(() => this.norms())))
  }

  protected adapted(x: Tensor, addTo?: Tensor): Tensor {
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

  /** The principal components of W, scale · B A of which is what W loses. */
  async #principal(w: Tensor, stream: number): Promise<InitialFactors> {
    const { r, scale, seed } = this.settings
    const columns = testColumns(r, this.outFeatures, this.inFeatures)
    const draw = random(w.backend, [this.inFeatures, columns], 'normal', { seed, stream })
    const test = await draw.read()
    draw.release()
    const { a, b } = await principalFactors(w, r, test)
    const scaled = (values: Float32Array) => values.map((value) => value / Math.sqrt(scale))
    return { a: scaled(a), b: scaled(b) }
  }

  /** The layer as it was before its weights were changed. */
  protected override plain(x: Tensor, addTo?: Tensor): Tensor {
    if (!this.initial) return super.plain(x, addTo)
    const { weight, bias } = this.base_layer
    const { scale } = this.settings
    const [a, b] = this.#initialTensors()
    return ops.lowRankLinear(x, weight.operand, a, b, { scale, bias: bias?.value, addTo, dropped: x })
  }

  #initialTensors(): readonly [a: Tensor, b: Tensor] {
    const of = ({ value }: Parameter, values: Float32Array) =>
      tensor(value.backend, values, value.shape, value.dtype)
    return [of(this.lora_A.weight, this.initial!.a), of(this.lora_B.weight, this.initial!.b)]
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

  /** W + scale · B A, or with DoRA m / ‖W + scale · B A‖ ⊙ (W + scale · B A) by rows. */
  async merged(): Promise<MergedWeights> {
    const weight = keep(ops.add(this.frozen(), this.delta()))
    const bias = this.lora_B.bias ? keep(ops.scale(this.bias()!, 1)) : undefined
    if (this.lora_magnitude_vector) await this.#lengthen(weight)
    return { weight, bias }
  }

  /** Gives the rows of W + scale · B A the trained lengths. */
  async #lengthen(sum: Tensor): Promise<void> {
    const [out, input] = sum.shape as [number, number]
    const norms = keep(this.norms())
    try {
      const values = await sum.read()
      const lengths = await norms.read()
      const magnitudes = await this.lora_magnitude_vector!.value.read()
      for (let i = 0; i < out; i++) {
        const factor = magnitudes[i]! / lengths[i]!
        for (let j = 0; j < input; j++) values[i * input + j]! *= factor
      }
      sum.backend.write(sum.buf, values)
    } finally {
      norms.release()
    }
  }

  /**
   * A start from the weight moved part of W into A and B, so its update scale · (B A - B0 A0) is written as a plain LoRA of rank 2r:
   * [B, -B0] · [A; A0].
   */
  async saved(): Promise<ReadonlyMap<string, Tensor>> {
    const { initial } = this
    if (!initial) return new Map()
    const { r } = this.settings
    const [input, out] = [this.inFeatures, this.outFeatures]
    const a = await this.lora_A.weight.master.read()
    const b = await this.lora_B.weight.master.read()
    const wideA = new Float32Array(2 * r * input)
    wideA.set(a)
    wideA.set(initial.a, r * input)
    const wideB = new Float32Array(out * 2 * r)
    for (let i = 0; i < out; i++)
      for (let c = 0; c < r; c++) {
        wideB[i * 2 * r + c] = b[i * r + c]!
        wideB[i * 2 * r + r + c] = -initial.b[i * r + c]!
      }
    const { backend } = this.lora_A.weight.value
    return new Map([
      ['lora_A.weight', tensor(backend, wideA, [2 * r, input], 'f32')],
      ['lora_B.weight', tensor(backend, wideB, [out, 2 * r], 'f32')],
    ])
  }
}
