import { keep, scope, zeros, type Backend, type Tensor } from '@ift/tensor'
import type { OptimizerDefinition, OptimizerSpan, TrainableParameter } from '../../contract/index.js'
import { TrainableChunk } from '../trainable-chunk.js'

/** An optimizer with checked options. */
export interface ChosenOptimizer {
  readonly definition: OptimizerDefinition
  readonly options: unknown
}

export interface OptimizerSettings extends ChosenOptimizer {
  /** Decoupled weight decay of parameters that are not exempt from it. */
  readonly weightDecay: number
  /** Clips the gradient of all parameters together to this Euclidean norm; 0 is off. */
  readonly clipNorm: number
}

/** An optimizer at work on parameters: their memory and state, clipping, and the count of steps. */
export class Optimizer {
  /** Where the parameters lie from now on. */
  readonly chunks: readonly TrainableChunk[]
  readonly #scale: Tensor
  readonly #sumSquares: Tensor
  /** Steps taken. */
  step = 0

  constructor(
    readonly backend: Backend,
    readonly parameters: readonly TrainableParameter[],
    readonly settings: OptimizerSettings,
  ) {
    const { definition, options } = settings
    this.chunks = TrainableChunk.of(backend, parameters, (shape) => definition.state(shape, options))
    this.#scale = keep(zeros(backend, [1], 'f32'))
    this.#sumSquares = keep(zeros(backend, [1], 'f32'))
  }

  /**
   * Updates every parameter that has a gradient and drops the gradients; a gradient that is not finite changes nothing.
   * Returns the squared norm of the gradient before clipping, f32 [1] on the device; the caller releases it. Waits for the
   * device only where the optimizer does not look at the scale of the gradient itself, or for `afterUpdate`, which is called
   * before the gradients are dropped. For it they are clipped in memory first, because an optimizer may clip them there or only as
   * it reads them; the factor f32 [1] that it gets is the one that is left.
   */
  async update(
    learningRate: number,
    afterUpdate?: (gradientScale: Tensor) => void | Promise<void>,
  ): Promise<Tensor> {
    const { backend } = this
    const { definition, options, weightDecay, clipNorm } = this.settings
    backend.fill(this.#sumSquares.buf, 0, 1, 'f32')
    const eachSpan = (work: (spans: readonly OptimizerSpan[]) => void) => {
      scope(() => {
        work(this.chunks.flatMap((chunk) => [...chunk.spans({ learningRate, weightDecay })]))
      })
    }
    eachSpan((spans) => {
      for (const { gradients, size } of spans)
        backend.squaredNorm(this.#sumSquares.buf, gradients.buf, size, 'f32', 1)
    })
    backend.clipFactor(this.#scale.buf, this.#sumSquares.buf, clipNorm > 0 ? clipNorm : Infinity)
    const unseen = definition.skipsNonFinite === true && !afterUpdate
    if (unseen || Number.isFinite((await this.#sumSquares.read())[0])) {
      this.step++
      if (afterUpdate) this.#clipInMemory(eachSpan)
      eachSpan((spans) => {
        definition.update({ backend, options, step: this.step, gradientScale: this.#scale, spans })
      })
      await afterUpdate?.(this.#scale)
    }
    for (const { parameter } of this.parameters) parameter.zeroGrad()
    const norm = keep(zeros(backend, [1], 'f32'))
    backend.axpby(norm.buf, 1, this.#sumSquares.buf, 0, this.#sumSquares.buf, 1, 'f32')
    return norm
  }

  #clipInMemory(eachSpan: (work: (spans: readonly OptimizerSpan[]) => void) => void): void {
    const { backend } = this
    eachSpan((spans) => {
      for (const { gradients, size } of spans)
        backend.scaleColumns(gradients.buf, gradients.buf, this.#scale.buf, size, 1, 'f32')
    })
    backend.fill(this.#scale.buf, 1, 1, 'f32')
  }

  /** State by name, as a checkpoint stores it: `<state>.<parameter>`. */
  *state(): Iterable<readonly [name: string, tensor: Tensor]> {
    for (const chunk of this.chunks)
      for (const [i, { name }] of chunk.parameters.entries())
        for (const [state, tensor] of Object.entries(chunk.state[i]!)) yield [`${state}.${name}`, tensor]
  }

  release(): void {
    for (const chunk of this.chunks) chunk.release()
    this.#scale.release()
    this.#sumSquares.release()
  }
}
