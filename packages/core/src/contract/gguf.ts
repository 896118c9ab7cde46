/** What the config of a model in a GGUF file follows from. */
export interface GgufFacts {
  readonly metadata: ReadonlyMap<string, unknown>
  /** Shapes of the tensors by their names in the file, outermost first. */
  readonly shapes: ReadonlyMap<string, readonly number[]>
  /** Values of those tensors that `GgufMapping.tables` names. */
  readonly tables: ReadonlyMap<string, Float32Array>
}

/** How the rows of a module lie in a file. */
export interface GgufRows {
  /** Rows of each tensor of the file that the module is made of. */
  readonly counts: readonly number[]
  /** For each row of the module, its place in those of the file, all tensors one after the other: a permutation. */
  readonly order: () => Int32Array
}

/** A module and where its weight and bias lie in a file, the same both ways. */
export interface GgufModule {
  /** Path of the module; `*` stands for the number of a layer. */
  readonly module: string
  /** Names of the file without `.weight` or `.bias`, `*` likewise. The module has the rows of several, one after the other. */
  readonly names: readonly string[]
  /** Absent where the rows are in the order of the file. */
  readonly rows?: GgufRows
  /** What the file adds to every value: 1 in the norms of Gemma. */
  readonly added?: number
  /** Rows are written with length 1, which the family gives them when it multiplies by them: the head of Baichuan2. */
  readonly unit?: boolean
}

/** A value of a file's metadata; numbers say their type, lists have it. */
export type GgufValue =
  | string
  | boolean
  | { readonly u32: number }
  | { readonly f32: number }
  | readonly string[]
  | readonly boolean[]
  | Uint8Array
  | Int32Array
  | Float32Array

/** What a file says of a model besides its weights and its tokens. */
export interface GgufDescription {
  /** general.architecture */
  readonly architecture: string
  /** Keys of the architecture, without its name in front. */
  readonly keys: Readonly<Record<string, GgufValue>>
  /** Keys that belong to no architecture, by their whole names. */
  readonly general?: Readonly<Record<string, GgufValue>>
  /** No file has a matrix for the logits other than the embedding. */
  readonly tiedHead?: true
  /** Tensors that are no weights, by their names: factors of rotary frequencies. */
  readonly tables?: Readonly<Record<string, Float32Array>>
}

/** How a family's GGUF files map to its own layout, and back. */
export interface GgufMapping {
  /** Values of general.architecture. */
  readonly architectures: readonly string[]
  /** Tensors that are no weights and that `config` reads: the factors of rotary frequencies. */
  readonly tables?: readonly string[]
  /** config.json of the model that a file describes. Throws IFT_MODEL_CONFIG naming the key. */
  config(facts: GgufFacts): Record<string, unknown>
  /**
   * What a file says of a model with this config.json, the way back of `config`. Throws IFT_EXPORT_UNSUPPORTED, naming the field, for what no
   * file of the architecture can say: llama.cpp would read it and compute something else. Absent where files are only read.
   */
  describe?(config: Readonly<Record<string, unknown>>): GgufDescription
  /** Every module that has parameters, by config.json. */
  modules(config: Readonly<Record<string, unknown>>): readonly GgufModule[]
}
