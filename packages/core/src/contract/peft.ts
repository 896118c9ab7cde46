import type { Backend, CausalLM, FloatDType, Parameter, Tensor, VirtualTokens } from '@ift/tensor'
import type { z } from 'zod'
import type { ModelDefinition, ModelRoles, ModelShape, ModuleRole } from './model.js'
import type { Tokenizer } from './tokenizer.js'

/** A parameter that the optimiser updates. */
export interface TrainableParameter {
  /** Name in the adapter file, or the module path when the model itself is trained. */
  readonly name: string
  readonly parameter: Parameter
  /** Factor of the learning rate (LoRA+: B learns faster than A). */
  readonly lrScale: number
  /** Whether weight decay applies; norms and biases are exempt. */
  readonly decay: boolean
}

/** An adapter as files: its settings and its tensors. */
export interface AdapterFiles {
  /** How they are laid into a folder: as Hugging Face PEFT does when omitted, or as AdapterHub does. */
  readonly format?: 'peft' | 'adapter-hub'
  readonly config: Readonly<Record<string, unknown>>
  readonly tensors: ReadonlyMap<string, Tensor>
  /** Shapes of f32 tensors that have no element, which PEFT writes for a layer of rank 0; no device holds them. */
  readonly empty?: ReadonlyMap<string, readonly number[]>
}

/** Tensors of an adapter file, read one at a time. The caller releases what it asked for. */
export interface AdapterSource {
  /** adapter_config.json, or what says the same in other formats: `peft_type` tells the method. */
  readonly config: Readonly<Record<string, unknown>>
  /** File that errors name. */
  readonly path: string
  names(): Iterable<string>
  shape(name: string): readonly number[]
  /** Values as f32. */
  read(name: string): Promise<Float32Array>
}

export interface PeftContext {
  readonly definition: ModelDefinition
  readonly shape: ModelShape
  /** `definition.roles` of this model. */
  readonly roles: ModelRoles
  readonly backend: Backend
  /** Type of weights and activations. */
  readonly dtype: FloatDType
  readonly seed: number
  /** Recorded as base_model_name_or_path. */
  readonly baseModel: string
  /** For methods that start from a text; absent where a model is adapted outside of a session. */
  readonly tokenizer?: Tokenizer | undefined
  /** The adapter that `load` is called with next; absent where the method starts anew. */
  readonly adapter?: AdapterSource | undefined
}

/**
 * Virtual tokens in front of every sequence: `rows()` in the place of embedded tokens, or `keysAndValues()` of every layer. They are asked
 * for once in each micro-batch of training, and once for all sequences that are generated together; layout, positions, masks, caches and
 * limits are not the method's business. Virtual tokens count as tokens of the sequence wherever a length has a limit.
 */
export type PeftPrefix = VirtualTokens

/** How long the virtual tokens in front of every sequence are. */
export interface VirtualLength {
  /** What every limit on the tokens of a sequence counts. */
  readonly tokens: number
  /** Positions that they take from the tokens behind them: 0 where these stand as without them. */
  readonly places: number
}

/** An optimiser step that has changed the parameters and not yet cleared their gradients. */
export interface PeftUpdate {
  /** Counts from 1, over resumed runs. */
  readonly step: number
  readonly totalSteps: number
  /** f32 [1]: makes the gradients in memory those of the update, which are clipped. */
  readonly gradientScale: Tensor
}

/** A method attached to one model. */
export interface PeftHandle {
  trainable(): Iterable<TrainableParameter>
  /** What stands in front of every sequence; absent where nothing does, also while the method is switched off. */
  readonly prefix?: PeftPrefix | undefined
  /**
   * Called once per optimiser step, after the update and while the gradients are there; not for a step whose gradient is not
   * finite. With ranks every one calls it with the same numbers.
   */
  afterUpdate?(update: PeftUpdate): void | Promise<void>
  /**
   * A term of the loss that depends on the parameters alone: f32 [1] with its gradient. Asked for once per optimiser step,
   * whatever the number of micro-batches and ranks; validation leaves it out.
   */
  penalty?(): Tensor
  /**
   * What the method carries from step to step besides its parameters. Names and shapes never change; a checkpoint stores the
   * values and a resumed run writes them back.
   */
  state?(): Iterable<readonly [name: string, tensor: Tensor]>
  /** In the names of their format. Valid until the handle is released; tensors belong to the handle. */
  save(): Promise<AdapterFiles>
  /** Replaces the values by an adapter's; IFT_ADAPTER_* errors name tensor, expected and found. */
  load(source: AdapterSource): Promise<void>
  /** Folds the method into the base weights and takes it off the model; null when it cannot be folded. */
  readonly merge: (() => Promise<void>) | null
  /** Why it cannot be folded into these weights, or into any; said before training. */
  readonly unmergeable?: string | null
  /**
   * Whether training draws random numbers for every row, as dropout does. Rows that several samples have in common are
   * then not computed once for all of them, unless the config asks for it.
   */
  readonly stochastic?: boolean
  /** What the user of a run should know before it begins, a sentence each. */
  readonly notes?: readonly string[]
  /** Switches dropout and the like. */
  setTraining(on: boolean): void
  /** Off, the model computes what it does without the method; nothing that was learned is lost. On at first. */
  setEnabled(on: boolean): void
  release(): void
}

/**
 * How updates are added up, as PEFT's add_weighted_adapter names it. `linear`: the tensors are, for ranks that are equal. `cat`: exactly,
 * by ranks one behind the other. `svd`: the best sum of a smaller rank.
 */
export type Combination = 'linear' | 'cat' | 'svd'

/** An adapter of a sum. */
export interface WeightedAdapter {
  /** For errors. */
  readonly name: string
  readonly source: AdapterSource
  readonly weight: number
}

export interface CombineOptions {
  readonly combination: Combination
  /** Of the result, for svd; the largest of the adapters' when absent. */
  readonly rank?: number | undefined
}

/** An adapter in memory, in the names of its files. */
export interface AdapterValues {
  readonly config: Readonly<Record<string, unknown>>
  readonly tensors: ReadonlyMap<string, { readonly shape: readonly number[]; readonly values: Float32Array }>
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any
export interface PeftMethod<O = any> {
  readonly name: string
  /** Values of peft_type in adapter_config.json that this method loads. */
  readonly peftTypes: readonly string[]
  /** Roles of the modules that it adapts where the config names none (`defaultTargets`); none for a method without targets. */
  readonly targetRoles?: readonly ModuleRole[]
  /** Options as the config writes them, `method` left out. */
  readonly options: z.ZodType<O>
  /** Virtual tokens in front of every sequence with these options, known before a model is loaded; absent where there are never any. */
  virtualTokens?(options: O): VirtualLength
  /** Options equal to those that made an adapter. */
  fromAdapterConfig(config: Readonly<Record<string, unknown>>): O
  /**
   * Puts the method on a model. The memory of a run is counted by attaching to modules without values besides: then
   * `context.backend.device.kind` is `counting`, everything read is zero, and a start that takes long or needs values can be left out. What
   * is trained there and the bytes that are held must be the same; `peftConformance` compares both.
   */
  attach(model: CausalLM, options: O, context: PeftContext): Promise<PeftHandle>
  /**
   * An adapter whose update is the sum of those of several, each times its weight, made from their files. Absent where no adapter of the
   * method is such a sum; IFT_ADAPTER_COMBINE, naming the adapter, where these have none.
   */
  combine?(adapters: readonly WeightedAdapter[], options: CombineOptions): Promise<AdapterValues>
}
