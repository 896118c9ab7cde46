import { keep, zeros, type Backend, type Tensor } from '@ift/tensor'
import type { TrainableParameter } from '../plugin/contract/index.js'

export interface AdamWSettings {
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
  readonly weightDecay: number
  /** Clips the gradient of all parameters together to this Euclidean norm; 0 is off. */
  readonly clipNorm: number
}

/** AdamW over f32 masters and moments (Loshchilov & Hutter 2019, arXiv:1711.05101). */
export class AdamWOptimizer {
  readonly #moments: { readonly m: Tensor; readonly v: Tensor }[]
  readonly #factor: Tensor
  readonly #sumSquares: Tensor
  /** Steps taken. */
  step = 0

  constructor(
    readonly backend: Backend,
    readonly parameters: readonly TrainableParameter[],
    readonly settings: AdamWSettings,
  ) {
    this.#moments = parameters.map(({ parameter }) => ({
      m: keep(zeros(backend, parameter.shape, 'f32')),
      v: keep(zeros(backend, parameter.shape, 'f32')),
    }))
    this.#factor = keep(zeros(backend, [1], 'f32'))
    this.#sumSquares = keep(zeros(backend, [1], 'f32'))
  }

  /**
   * Updates every parameter that has a gradient and drops the gradients. Returns the squared norm of the gradient before
   * clipping, f32 [1] on the device; the caller releases it.
   */
  update(learningRate: number): Tensor {
    const { backend, settings } = this
    this.step++
    backend.fill(this.#sumSquares.buf, 0, 1, 'f32')
    for (const { parameter } of this.parameters) {
      const { grad } = parameter
      if (grad) backend.squaredNorm(this.#sumSquares.buf, grad.buf, grad.size, 'f32', 1)
    }
    if (settings.clipNorm > 0) backend.clipFactor(this.#factor.buf, this.#sumSquares.buf, settings.clipNorm)
    for (const [i, { parameter, lrScale, decay }] of this.parameters.entries()) {
      const { grad, value, master } = parameter
      if (!grad) continue
      const { m, v } = this.#moments[i]!
      backend.adamw(
        value.buf,
        master === value ? null : master.buf,
        grad.buf,
        m.buf,
        v.buf,
        settings.clipNorm > 0 ? this.#factor.buf : null,
        {
          n: value.size,
          lr: learningRate * lrScale,
          beta1: settings.beta1,
          beta2: settings.beta2,
          eps: settings.epsilon,
          weightDecay: decay ? settings.weightDecay : 0,
          step: this.step,
          dtype: value.dtype === 'f32' ? 'f32' : value.dtype === 'bf16' ? 'bf16' : 'f16',
        },
      )
      parameter.zeroGrad()
    }
    const norm = keep(zeros(backend, [1], 'f32'))
    backend.axpby(norm.buf, 1, this.#sumSquares.buf, 0, this.#sumSquares.buf, 1, 'f32')
    return norm
  }

  /** Moments by parameter name, as a checkpoint stores them: `m.<name>` and `v.<name>`. */
  *state(): Iterable<readonly [name: string, tensor: Tensor]> {
    for (const [i, { name }] of this.parameters.entries()) {
      yield [`m.${name}`, this.#moments[i]!.m]
      yield [`v.${name}`, this.#moments[i]!.v]
    }
  }

  release(): void {
    for (const { m, v } of this.#moments) {
      m.release()
      v.release()
    }
    this.#factor.release()
    this.#sumSquares.release()
  }
}
