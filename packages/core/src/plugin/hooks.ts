import {
  AsyncSeriesBailHook,
  AsyncSeriesHook,
  AsyncSeriesWaterfallHook,
  HookMap,
  SyncBailHook,
  SyncHook,
  SyncWaterfallHook,
  type Hook,
} from 'tapable'
import { IftError, type CausalLM } from '@ift/tensor'
import type { IftConfig, ResolvedConfig } from '../config/schema.js'
import type { Example, PackedBatch, Sample } from '../contract/data.js'
import type { LogitsContext } from '../contract/generate.js'
import type { RouteTable } from '../contract/serve.js'
import type {
  Checkpoint,
  EvalResult,
  LogRecord,
  RunTasks,
  StepResult,
  TasksRequest,
  TrainedModel,
  TrainResult,
  TrainState,
} from '../contract/train.js'
import type {
  BackendDefinition,
  ConstraintDefinition,
  DatasetDefinition,
  ExportDefinition,
  ModelDefinition,
  OptimizerDefinition,
  PeftMethod,
  PromptTemplate,
  TaskDefinition,
  TokenizerDefinition,
  Verb,
} from '../contract/index.js'

/** Which dataset an example came from. */
export interface DataContext {
  readonly dataset: string
}

/** A run as the `trainer` hook hands it out: fresh hooks to tap, and what is trained. */
export interface TrainerHandle {
  readonly hooks: TrainerHooks
  readonly model: CausalLM
  readonly trained: TrainedModel
  readonly state: TrainState
}

// Tapable's own bound for "some hook".
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type AnyHook = Hook<any, any, any>

/** An error thrown by a tap names the plugin and the hook; the original is its cause. */
function attribute(hook: string, plugin: string, fn: (...args: unknown[]) => unknown) {
  const blame = (cause: unknown): never => {
    if (cause instanceof IftError && cause.code === 'IFT_PLUGIN_FAILED') throw cause
    throw new IftError(
      'IFT_PLUGIN_FAILED',
      `Plugin "${plugin}" failed in hook "${hook}": ${cause instanceof Error ? cause.message : String(cause)}`,
      cause instanceof IftError ? cause.hint : undefined,
      { cause },
    )
  }
  return (...args: unknown[]) => {
    try {
      const result = fn(...args)
      return result instanceof Promise ? result.catch(blame) : result
    } catch (cause) {
      return blame(cause)
    }
  }
}

/** Whether somebody tapped a hook. Its own `isUsed` counts the interceptor below as a use. */
export const tapped = (hook: AnyHook): boolean => hook.taps.length > 0

function named<H extends AnyHook>(name: string, hook: H): H {
  hook.name = name
  hook.intercept({
    register: <T extends { name: string; fn: unknown }>(tap: T): T => ({
      ...tap,
      fn: attribute(name, tap.name, tap.fn as (...args: unknown[]) => unknown),
    }),
  })
  return hook
}

/** A registry: the first tap that answers for a key wins, and any tap comes before what is built in. */
export class Registry<D> extends HookMap<SyncBailHook<[], D>> {
  /** Names that plugins registered, oldest first. */
  readonly added: string[] = []
  readonly #builtin = new Map<string, D>()

  constructor(kind: string) {
    super((key) => named(`${kind}:${String(key)}`, new SyncBailHook<[], D>([])), kind)
    this.intercept({
      factory: (key, hook) => {
        this.added.push(String(key))
        return hook
      },
    })
  }

  /** Makes a definition of core known, for want of a plugin's. */
  provide(name: string, definition: D): void {
    this.#builtin.set(name, definition)
  }

  /** The definition of a name, without making the name known. */
  find(name: string): D | undefined {
    return this.get(name)?.call() ?? this.#builtin.get(name)
  }

  /** Names that somebody registered, or that are built in. */
  names(): string[] {
    return [...new Set([...this.added, ...this.#builtin.keys()])].sort()
  }
}

/** Hooks of a session, tapped in a plugin's `apply`. */
export const createSessionHooks = () =>
  Object.freeze({
    /** Each plugin may return a changed config; nothing returned keeps it. */
    config: named('config', new AsyncSeriesWaterfallHook<[IftConfig]>(['config'])),
    /** The config is final: observe only. */
    configResolved: named('configResolved', new SyncHook<[ResolvedConfig]>(['config'])),

    backend: new Registry<BackendDefinition>('backend'),
    constraint: new Registry<ConstraintDefinition>('constraint'),
    model: new Registry<ModelDefinition>('model'),
    peft: new Registry<PeftMethod>('peft'),
    export: new Registry<ExportDefinition>('export'),
    dataset: new Registry<DatasetDefinition>('dataset'),
    optimizer: new Registry<OptimizerDefinition>('optimizer'),
    task: new Registry<TaskDefinition>('task'),
    template: new Registry<PromptTemplate>('template'),
    tokenizer: new Registry<TokenizerDefinition>('tokenizer'),
    verb: new Registry<Verb>('verb'),

    /** Text level, once an example: rewriting, filters (null drops it). */
    example: named('example', new SyncWaterfallHook<[Example | null, DataContext]>(['example', 'context'])),
    /** Token level, once a sample: masking, truncation (null drops it). */
    sample: named('sample', new SyncWaterfallHook<[Sample | null, DataContext]>(['sample', 'context'])),
    /** After the weights, before the method: freeze, inspect. */
    modelLoaded: named('modelLoaded', new AsyncSeriesHook<[CausalLM, ResolvedConfig]>(['model', 'config'])),
    /** A run begins with hooks of its own; tap them here and nothing leaks into the next run. */
    trainer: named('trainer', new SyncHook<[TrainerHandle]>(['trainer'])),
    /** Scores of the next token, after the built-in processors; change them in place. */
    logits: named('logits', new SyncHook<[Float32Array, LogitsContext]>(['scores', 'context'])),
    /** A run is to be evaluated on tasks: whoever can ask them answers. */
    tasks: named('tasks', new AsyncSeriesBailHook<[TasksRequest], RunTasks>(['request'])),
    /** A server of the session is made: plugins add paths to it. */
    routes: named('routes', new SyncHook<[RouteTable]>(['routes'])),
    /** The session ends. */
    close: named('close', new AsyncSeriesHook<[]>([])),
  })

/** Hooks of one training run. */
export const createTrainerHooks = () =>
  Object.freeze({
    beforeTrain: named('beforeTrain', new AsyncSeriesHook<[TrainState]>(['state'])),
    /** Every micro-batch before it goes to the device. */
    batch: named('batch', new SyncWaterfallHook<[PackedBatch, TrainState]>(['batch', 'state'])),
    /** After accumulation over micro-batches and ranks, before clipping; gradients are f32 on the device. */
    gradients: named('gradients', new SyncHook<[TrainedModel, TrainState]>(['trained', 'state'])),
    step: named('step', new AsyncSeriesHook<[StepResult, TrainState]>(['result', 'state'])),
    /** Each plugin may return a result with metrics added. */
    evaluate: named('evaluate', new AsyncSeriesWaterfallHook<[EvalResult, TrainState]>(['result', 'state'])),
    checkpoint: named('checkpoint', new AsyncSeriesHook<[Checkpoint, TrainState]>(['checkpoint', 'state'])),
    /** A reason to stop after this step, or nothing. */
    shouldStop: named('shouldStop', new SyncBailHook<[TrainState], string | undefined>(['state'])),
    log: named('log', new SyncHook<[LogRecord]>(['record'])),
    /** A failure that does not stop the run, such as a log that cannot be written. */
    warning: named('warning', new SyncHook<[string]>(['warning'])),
    done: named('done', new AsyncSeriesHook<[TrainResult]>(['result'])),
    failed: named('failed', new SyncHook<[unknown]>(['error'])),
  })

export type SessionHooks = ReturnType<typeof createSessionHooks>
export type TrainerHooks = ReturnType<typeof createTrainerHooks>
