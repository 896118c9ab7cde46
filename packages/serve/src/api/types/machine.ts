/** `GET /api/machine`. */
export interface MachineReply {
  /** Of @ift/serve; another one than the page was loaded with means: reload. */
  readonly version: string
  /** Other at every start of the server. */
  readonly instance: string
  readonly now: string
  /** `EPYC · 2 threads`: as the device describes itself, else the processor. */
  readonly device: string
  /** cpu, cuda, … ; null without a model. */
  readonly deviceKind: string | null
  readonly cores: number
  readonly memory: {
    /** Of the machine. */
    readonly total: number
    readonly used: number
    /** Of the server's own process (resident). */
    readonly server: number
    /** Of the device, where it has a memory of its own. */
    readonly device: number | null
  }
  /** What /v1 answers with: null without a model (`--no-model`). `loading` until it is open, `failed` with why. */
  readonly model: {
    readonly state: 'loading' | 'ready' | 'failed'
    readonly error: string | null
    /** Name in `model` of requests; null until it is open. */
    readonly id: string | null
    readonly family: string | null
    readonly template: string | null
    readonly dtype: string | null
    readonly quantize: string | null
    /** Tokens of prompt and answer at most; null where unbounded. */
    readonly context: number | null
    /** Ids of the special tokens of the vocabulary, for chips in a frame. */
    readonly specialTokens: readonly string[]
    /** Adapters by their name in `model`. */
    readonly adapters: readonly string[]
  } | null
  readonly runs: { readonly total: number; readonly training: number; readonly failed: number }
  /** Folders that runs are looked for in, relative to the working folder where they lie in it. */
  readonly folders: readonly string[]
  /** Whether runs can be started, stopped and resumed from here; else why not, to be shown. */
  readonly canStart: boolean
  readonly whyNot: string | null
}
