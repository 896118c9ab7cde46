import type { PeftHandle, TaskDefinition, TrainableParameter } from './index.js'

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

/** A task of `evaluate.tasks`, with what the config says of it. */
export interface AskedTask {
  readonly task: TaskDefinition
  readonly data: string
  readonly shotsData?: string | undefined
  readonly shots?: number | undefined
  readonly limit: number
  readonly as?: 'text' | 'instruction' | undefined
  readonly maxNewTokens?: number | undefined
  readonly options?: Readonly<Record<string, unknown>> | undefined
}

/** Tasks of a run that is opened, for whoever asks them. */
export interface TasksRequest {
  readonly rootDir: string
  readonly tasks: readonly AskedTask[]
  /** The `OpenModel` that is trained. */
  readonly open: object
  /** Makes a `TextGenerator` over it, which is released before the training goes on. */
  readonly makeGenerator: () => object
}

/** Tasks that are asked while a run trains. */
export interface RunTasks {
  /** What is measured, as `task.metric`. */
  readonly metrics: ReadonlyMap<string, { readonly lowerIsBetter: boolean }>
  /** The metric that stands for a task, by its name. */
  readonly main: ReadonlyMap<string, string>
  /** Means of the model as it is now, by metric; those without a value are left out. Null when `signal` ended it. */
  run(step: number, signal?: AbortSignal): Promise<Readonly<Record<string, number>> | null>
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
  readonly bestEval?: {
    readonly step: number
    readonly loss: number
    /** What the best was chosen by, where that is a task. */
    readonly chosenBy?: { readonly metric: string; readonly value: number }
  }
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
