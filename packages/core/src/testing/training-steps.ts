import { backward, ops, scope, withRandom, type Backend, type CausalLM } from '@ift/tensor'
import type { Sample } from '../contract/data.js'
import type { PeftHandle } from '../contract/peft.js'
import { packSamples } from '../data/pack.js'
import { virtualRows } from '../data/virtual-tokens.js'
import { forwardBatch } from '../train/forward.js'
import { adamw } from '../train/optimizer/adamw.js'
import { Optimizer } from '../train/optimizer/optimizer.js'

export interface TrainingStepsOptions {
  readonly backend: Backend
  readonly model: CausalLM
  /** The method on the model; what it trains is trained. */
  readonly peft: PeftHandle
  /** Of AdamW; 1e-8 when omitted. */
  readonly epsilon?: number
  /** Of AdamW; none when omitted. */
  readonly weightDecay?: number
  /** Largest norm of the gradient; 1 when omitted. */
  readonly clipNorm?: number
  /** Of dropout; 0 when omitted. */
  readonly seed?: number
}

/** Steps that the method is told there will be: more than any test takes. */
const totalSteps = 100

/**
 * Optimiser steps as the trainer takes them, without a session: packed micro-batches, a loss over the trained tokens of the
 * whole step, random numbers by step and micro-batch, AdamW. For tests of families, methods and devices, which compare losses,
 * gradients and weights step by step.
 */
export class TrainingSteps {
  readonly #options: TrainingStepsOptions
  readonly #optimizer: Optimizer
  #step = 0

  constructor(options: TrainingStepsOptions) {
    this.#options = options
    const { backend, peft, epsilon = 1e-8, weightDecay = 0, clipNorm = 1 } = options
    const settings = { definition: adamw, options: adamw.options.parse({ epsilon }), weightDecay, clipNorm }
    this.#optimizer = new Optimizer(backend, [...peft.trainable()], settings)
  }

  /**
   * Adds the gradients of a step to the parameters. The loss of each micro-batch is divided by the trained tokens of all of
   * them, so that their sum is the loss of the step.
   */
  async backward(micros: readonly (readonly Sample[])[]): Promise<number[]> {
    const { backend, model, peft, seed = 0 } = this.#options
    const learnFirst = virtualRows(peft, model) !== undefined
    const promptOf = model.promptOf?.bind(model)
    const batches = micros.map((samples) => packSamples(samples, false, promptOf, learnFirst))
    const gradScale = 1 / batches.reduce((sum, { trainedTokens }) => sum + trainedTokens, 0)
    const losses: number[] = []
    for (const [micro, batch] of batches.entries()) {
      const loss = withRandom({ seed, step: this.#step, micro }, () =>
        forwardBatch({ backend, model, peft }, batch, ({ hidden, targets }) => {
          const sum = ops.linearCrossEntropy(hidden, model.lmHead, targets, { gradScale })
          backward(sum)
          return sum
        }),
      )
      losses.push((await loss.read())[0]!)
      loss.release()
    }
    return losses
  }

  /**
   * Updates what is trained, by the gradients and that of the method's penalty, and drops them; gives their squared norm before
   * clipping.
   */
  async update(learningRate: number): Promise<number> {
    const { peft } = this.#options
    if (peft.penalty)
      scope(() => {
        backward(peft.penalty!())
      })
    const step = ++this.#step
    const norm = await this.#optimizer.update(
      learningRate,
      peft.afterUpdate && ((gradientScale) => peft.afterUpdate!({ step, totalSteps, gradientScale })),
    )
    const [squared] = await norm.read()
    norm.release()
    return squared!
  }

  release(): void {
    this.#optimizer.release()
  }
}
