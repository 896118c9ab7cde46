import type { PeftHandle, TrainableParameter } from './index.js'

/** Where a run stands. Everything here is in a checkpoint and the same after a resume. */
export interface TrainState {
  /** Optimiser steps done. */
  readonly step: number
  readonly totalSteps: number
  /** Passes over the data, fractional. */
  readonly epoch: number
  /** Tokens read, and those of them that were learned. */
  readonly tokens: number
  readonly trainedTokens: number
  /** Rows that gave no sample and were passed over. */
  readonly passedOver: number
}

/** One optimiser step. Its numbers are on the device: asking for one waits for the queue. */
export interface StepResult {
  /** Steps done, this one included. */
  readonly step: number
  readonly learningRate: number
  readonly tokens: number
  readonly trainedTokens: number
  readonly microBatches: number
  /** Mean loss over the trained tokens of the step, in nats, and the penalty. */
  loss(): Promise<number>
  /** The method's own part of the loss, where it has one. */
  penalty?(): Promise<number>
  /** Euclidean norm of the gradient before clipping. */
  gradientNorm(): Promise<number>
}

export interface EvalResult {
  readonly step: number
  /** Mean loss over all trained tokens of the validation split, in nats. */
  readonly loss: number
  readonly tokens: number
  /** Further metrics, from plugins. */
  readonly metrics: Readonly<Record<string, number>>
}

/** One line of metrics.jsonl. */
export interface LogRecord {
  readonly step: number
  readonly kind: 'train' | 'eval'
  readonly values: Readonly<Record<string, number>>
}

/** One line of samples.jsonl: a fixed prompt, answered by the model as it was after `step` steps. */
export interface SampledAnswer {
  /** Optimiser steps done; 0 is the model before the first. */
  readonly step: number
  /** Number of the prompt, from 0. */
  readonly index: number
  readonly prompt: string
  readonly answer: string
  /** `end` is a token or text that ends answers; with `error` the prompt was refused, and `answer` says why. */
  readonly ended: 'end' | 'length' | 'error'
  /** Tokens of the answer. */
  readonly tokens: number
  /** The answer of the data, where the prompt has one. */
  readonly expected?: string
}

/** A checkpoint that was written, complete and hashed. */
export interface Checkpoint {
  readonly dir: string
  readonly step: number
}

export interface TrainResult {
  readonly steps: number
  /** Why the run ended. */
  readonly reason: 'done' | 'stopped' | 'interrupted'
  /** Text of the hook that stopped it, when one did. */
  readonly stoppedBy?: string
  readonly finalLoss: number
  readonly bestEval?: { readonly step: number; readonly loss: number }
  readonly tokens: number
  readonly trainedTokens: number
  /** Rows that gave no sample and were passed over, each as often as its turn came. */
  readonly passedOver: number
  readonly seconds: number
  /** Folder of the adapter, or of the model when the model itself was trained. */
  readonly output: string
  /** Failures that did not stop the run, such as a log that could not be written. */
  readonly warnings: readonly string[]
}

/** Parts of a trained model, for hooks that read them. */
export interface TrainedModel {
  readonly peft: PeftHandle | null
  readonly trainable: readonly TrainableParameter[]
}
