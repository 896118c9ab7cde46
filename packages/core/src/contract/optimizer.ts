import type { Backend, FloatDType, Tensor } from '@ift/tensor'
import type { z } from 'zod'

/** Shapes of the state that an optimizer keeps for one parameter, by name: f32, zero before the first step. */
export type OptimizerState = Readonly<Record<string, readonly number[]>>

/** One parameter of a step. All tensors are views into the memory of its span. */
export interface SteppedParameter {
  readonly name: string
  readonly shape: readonly number[]
  /** What the model computes with, in the dtype of the span. */
  readonly value: Tensor
  /** The value in f32, which is what an update changes and rounds into `value`; null where the value is f32 itself. */
  readonly master: Tensor | null
  /** f32, summed over the micro-batches and the ranks of the step. */
  readonly gradient: Tensor
  /** By the names of `OptimizerDefinition.state`: f32, the elements of its shape row by row. */
  readonly state: Readonly<Record<string, Tensor>>
}

/**
 * Parameters that are updated at one rate and lie end to end, so that an update element by element is one kernel for all of
 * them. What lies between two parameters is zero in values, masters, gradients and state; an update leaves it zero.
 */
export interface OptimizerSpan {
  /** Elements from the first to the last parameter. */
  readonly size: number
  readonly dtype: FloatDType
  /** Learning rate of these parameters at this step. */
  readonly learningRate: number
  /** Decoupled weight decay; 0 where parameters are exempt. */
  readonly weightDecay: number
  /** [size] in dtype. */
  readonly values: Tensor
  /** f32 [size]; null where the values are f32 themselves. */
  readonly masters: Tensor | null
  /** f32 [size]. An update may multiply them by `gradientScale` in place; methods read them afterwards. */
  readonly gradients: Tensor
  /** f32 [size] of each state that has the shape of its parameter, for every parameter of the span. */
  readonly state: Readonly<Record<string, Tensor>>
  /** The same memory parameter by parameter, for updates that read a shape. */
  readonly parameters: () => Iterable<SteppedParameter>
}

/** One step of an optimizer. */
export interface OptimizerStep<O> {
  readonly backend: Backend
  readonly options: O
  /** Counts from 1. */
  readonly step: number
  /**
   * f32 [1]: every gradient is multiplied by it, which clips the norm of all of them. It is NaN in a step whose gradient is
   * not finite, which changes nothing.
   */
  readonly gradientScale: Tensor
  /** Every parameter that has a gradient, once. */
  readonly spans: readonly OptimizerSpan[]
}

/**
 * A rule that turns gradients into updates. The trainer owns the memory: it lays out the state that `state` declares, plans
 * and stores it in checkpoints as `<state>.<parameter>`, clips, and counts steps.
 */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export interface OptimizerDefinition<O = any> {
  readonly name: string
  /** Options as the config writes them in `train.optimizer`, `name` left out. */
  readonly options: z.ZodType<O>
  /** What is kept for a parameter of a shape. */
  state(shape: readonly number[], options: O): OptimizerState
  /** Queues the update of every span; waits for nothing. A rate of 0 moves no parameter. */
  update(step: OptimizerStep<O>): void
  /**
   * Whether the kernels of `update` do nothing where `gradientScale` is NaN, as `adamw`, `lion` and `adafactor` of a Backend
   * do. For other optimizers the trainer waits for the norm of every gradient before it calls `update`.
   */
  readonly skipsNonFinite?: boolean
}
