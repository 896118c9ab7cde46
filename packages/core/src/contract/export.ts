import type { CausalLM } from '@ift/tensor'
import type { ModelDefinition, ModelShape } from './model.js'
import type { PeftHandle } from './peft.js'
import type { PromptTemplate } from './template.js'
import type { Tokenizer } from './tokenizer.js'

/** A model that is exported. */
export interface ExportedModel {
  readonly definition: ModelDefinition
  /** config.json as published. */
  readonly json: Readonly<Record<string, unknown>>
  /** generation_config.json as it is to be saved. */
  readonly generationConfig: Readonly<Record<string, unknown>> | undefined
  readonly shape: ModelShape
  /** With the adapter folded in, where `ExportContext.merged` gave it. */
  readonly model: CausalLM
  readonly tokenizer: Tokenizer
  readonly template: PromptTemplate
  /** The adapter on the model; null without one, and where it is folded in. */
  readonly peft: PeftHandle | null
  /** Names in the checkpoint by the paths of parameters. */
  readonly names: ReadonlyMap<string, string>
  /** Folder of the base, and how the config names it. */
  readonly dir: string
  readonly name: string
  readonly adapterDir: string | null
  /** Ids that end a generation, and those of them that answers were ended with in training. */
  readonly ends: ReadonlySet<number>
  readonly learned: readonly number[]
}

/** Options of an export as the command line gives them; a format ignores those that are not its own. */
export interface ExportOptions {
  /** Type of the weights, by the format's names. */
  readonly type?: string | undefined
  readonly maxShardSize?: string | undefined
  /** llama.cpp's name for how the tokenizer splits text. */
  readonly pre?: string | undefined
  /** What an adapter goes onto, for formats that may leave the base out. */
  readonly base?: string | undefined
  readonly maxLoraRank?: number | undefined
}

/** What an export works with. */
export interface ExportContext {
  /** Absolute path that is written: a file or a folder, as the format has it. */
  readonly out: string
  readonly options: ExportOptions
  /** The model with the adapter of the config folded in, in f32 where the config does not say otherwise. */
  merged(): Promise<ExportedModel>
  /** The model with its adapter beside it. IFT_USAGE where the config names none. */
  adapted(): Promise<ExportedModel & { readonly peft: PeftHandle; readonly adapterDir: string }>
  /** Called with a path before it is written: IFT_FOLDER_IN_USE where that is an input. */
  claim(path: string): Promise<void>
  note(text: string): void
}

/** What an export has written. */
export interface Exported {
  /** Files and folders, the main one first. */
  readonly written: readonly string[]
  /** What config.weights has to be for the export to be read back; absent for what ift does not read. */
  readonly readBack?:
    { readonly weights: string; readonly adapter?: string; readonly config?: string } | undefined
  /** Largest difference of a logit that the format allows; null where the distributions are compared. */
  readonly tolerance?: number | null
  /** What is written for whoever reads on: the command that runs it. */
  readonly next?: string
}

/** A format that models or adapters are exported to. */
export interface ExportDefinition {
  readonly name: string
  readonly description: string
  /** What of a model it writes. IFT_EXPORT_UNSUPPORTED, with the way out, for what the format does not hold. */
  run(context: ExportContext): Promise<Exported>
}
