import { keep, zeros, type Backend, type Tensor } from '@ift/tensor'
import type { TrainableParameter } from '../contract/index.js'
import { TrainableChunk } from './trainable-chunk.js'

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
  /** Where the parameters lie from now on. */
  readonly chunks: readonly TrainableChunk[]
  readonly #factor: Tensor
  readonly #sumSquares: Tensor
  /** Steps taken. */
  step = 0

  constructor(
    readonly backend: Backend,
    readonly parameters: readonly TrainableParameter[],
    readonly settings: AdamWSettings,
  ) {
    this.chunks = TrainableChunk.of(backend, parameters)
    this.#factor = keep(zeros(backend, [1], 'f32'))
    this.#sumSquares = keep(zeros(backend, [1], 'f32'))
  }

  /**
   * Updates every parameter that has a gradient and drops the gradients. Returns the squared norm of the gradient before
   * clipping, f32 [1] on the device; the caller releases it.
   */
  update(learningRate: number): Tensor {
    const { backend, settings } = this
    const { beta1, beta2, epsilon: eps, weightDecay, clipNorm } = settings
    this.step++
    backend.fill(this.#sumSquares.buf, 0, 1, 'f32')
    for (const chunk of this.chunks)
      chunk.forSpans(({ gradients }) => {
        backend.squaredNorm(this.#sumSquares.buf, gradients.buf, gradients.size, 'f32', 1)
      })
    if (clipNorm > 0) backend.clipFactor(this.#factor.buf, this.#sumSquares.buf, clipNorm)
    const factor = clipNorm > 0 ? this.#factor.buf : null
    for (const chunk of this.chunks) {
      const { dtype, lrScale, decay } = chunk.kind
      const lr = learningRate * lrScale
      const rates = { lr, beta1, beta2, eps, weightDecay: decay ? weightDecay : 0, step: this.step, dtype }
      chunk.forSpans(({ values, masters, gradients, m, v }) => {
        const n = values.size
        backend.adamw(values.buf, masters?.buf ?? null, gradients.buf, m.buf, v.buf, factor, { n, ...rates })
      })
    }
    for (const { parameter } of this.parameters) parameter.zeroGrad()
    const norm = keep(zeros(backend, [1], 'f32'))
    backend.axpby(norm.buf, 1, this.#sumSquares.buf, 0, this.#sumSquares.buf, 1, 'f32')
    return norm
  }

  /** Moments by parameter name, as a checkpoint stores them: `m.<name>` and `v.<name>`. */
  *state(): Iterable<readonly [name: string, tensor: Tensor]> {
    for (const chunk of this.chunks)
      for (const [i, { name }] of chunk.parameters.entries()) {
        const { m, v } = chunk.moments[i]!
        yield [`m.${name}`, m]
        yield [`v.${name}`, v]
      }
  }

  release(): void {
    for (const chunk of this.chunks) chunk.release()
    this.#factor.release()
    this.#sumSquares.release()
  }
}
