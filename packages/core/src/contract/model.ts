import type { CausalLM } from '@ift/tensor'
import type { GgufMapping } from './gguf.js'
import type { Tokenizer } from './tokenizer.js'

/** How an untrained parameter starts. */
export type Initializer =
  { readonly kind: 'normal'; readonly std: number } | { readonly kind: 'constant'; readonly value: number }

/** Sizes that memory plans and caches are made from. */
export interface ModelShape {
  readonly hidden: number
  readonly intermediate: number
  readonly layers: number
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  readonly vocab: number
  /** Longest sequence that the positions allow, or null when nothing limits it. */
  readonly maxPositions: number | null
  /** Whether a prompt is read in both directions (GLM's prefix LM): no two samples then share rows. */
  readonly bidirectionalPrompt?: boolean
}

/** Facts about a checkpoint that tell how it was tuned. */
export interface CheckpointFacts {
  /** config.json */
  readonly json: Readonly<Record<string, unknown>>
  /** generation_config.json; {} when there is none. */
  readonly generation: Readonly<Record<string, unknown>>
  readonly tokenizer: Tokenizer
  /** The checkpoint as the config names it, and its `_name_or_path`. */
  readonly names: readonly string[]
}

/** Config values that a family is trained with where the user sets none. */
export interface Recipe {
  /** Options of a method by its name; taken together, or not at all where the user sets one of them. */
  readonly peft?: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly train?: Readonly<{ learningRate?: number; batchSize?: number; epochs?: number }>
}

/** What a module is for, whatever a family calls it. */
export type ModuleRole =
  | 'query'
  | 'key'
  | 'value'
  | 'attentionOutput'
  | 'feedForwardIn'
  | 'feedForwardOut'
  | 'norm'
  | 'headNorm'
  | 'embedding'
  | 'head'

/**
 * Names of modules by role, each the last part of the path or as many parts as tell it from others: `q_proj`, `attn.c_proj`. A
 * fused matrix stands for its parts.
 */
export type ModelRoles = (
  | { readonly query: string; readonly key: string; readonly value: string }
  | { readonly queryKeyValue: string }
) &
  (
    | { readonly feedForwardIn: string | readonly string[] }
    /** Gate and up in one matrix. */
    | { readonly gateUp: string }
  ) & {
    /** From the heads back to the hidden size: what adds to the residual. */
    readonly attentionOutput: string
    readonly feedForwardOut: string
    /** Norms of hidden states, in the layers and before and behind them. */
    readonly norm: readonly string[]
    /** Norms of the heads of queries and keys. */
    readonly headNorm?: readonly string[]
    readonly embedding: string
    readonly head: string
  }

// A definition's config type is its own business; the session only passes it back to the definition.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export interface ModelDefinition<C = any> {
  readonly name: string
  /** Values of `architectures` in config.json that this plugin loads. */
  readonly architectures: readonly string[]
  /** Values of `model_type` that decide when a checkpoint names no architecture. */
  readonly modelTypes: readonly string[]
  /** Throws IFT_MODEL_CONFIG naming the field, what was expected and found. */
  parseConfig(json: Readonly<Record<string, unknown>>): C
  /** Modules only: no weights, no device. */
  build(config: C): CausalLM
  shape(config: C): ModelShape
  /** Module path of a checkpoint's tensor; identity when omitted, null to skip it. */
  mapWeight?(name: string, config: C): string | null
  /**
   * Whether checkpoints hold a linear layer's matrix as [in, out], as GPT-2's Conv1D does. It is turned when it is read and
   * when a model is saved, and is [out, in] everywhere else. GGUF files always hold [out, in].
   */
  transposed?(path: string): boolean
  /** Start of a parameter trained from scratch. */
  initialize(path: string, config: C): Initializer
  /** Name of the tokenizer definition to use when the files leave a choice and tokenizer.json is not among them. */
  readonly tokenizer: string
  /**
   * Tokens whose ids the model itself looks for in its input, with the field of config.json that says them: a tokenizer that
   * lacks them or has other ids is refused.
   */
  tokenIds?(config: C): readonly { readonly token: string; readonly field: string; readonly id: number }[]
  /** Name of the default template; 'chat' means the checkpoint's own. */
  readonly template: string
  /** Name of the template for a checkpoint that brings none of its own, where that differs within the family. */
  templateOf?(checkpoint: CheckpointFacts): string
  readonly gguf?: GgufMapping
  /** Which modules do what: methods find their places by it. */
  roles(config: C): ModelRoles
  /**
   * Roles that a method adapts by default in this family, by the method's name, where they are not the method's own: Hugging
   * Face PEFT has such exceptions, and adapters should be exchangeable with it.
   */
  readonly targetRoles?: Readonly<Record<string, readonly ModuleRole[]>>
  /** Values that the original platform trained the family with, where they differ from the defaults of the config. */
  readonly recipe?: Recipe
}
