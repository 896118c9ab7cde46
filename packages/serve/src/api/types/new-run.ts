import type { BothLanguages } from './problems.js'
import type { RunError } from './runs.js'
import type { MixtureRow, Plan } from '@ift/core'

/** `GET /api/schema`: the form. */
export interface SchemaReply {
  readonly sections: readonly SchemaSection[]
  /** Fields of `peft.*` by method. */
  readonly methods: readonly {
    readonly name: string
    readonly description: string
    readonly fields: readonly SchemaField[]
  }[]
  /** Config file of the working folder as it is written: a starting point; null without one. */
  readonly config: { readonly path: string; readonly written: Readonly<Record<string, unknown>> } | null
  /** Suggestions for `weights`: those of the server, of the config, of runs, and models in the working folder. */
  readonly weights: readonly {
    readonly value: string
    readonly title: string
    readonly detail: string | null
  }[]
  /** Suggestions for `data`: sets that are known, with their tags. Names of packages that are not installed have `package`. */
  readonly data: readonly {
    readonly name: string
    readonly title: string
    readonly rows: number | null
    readonly tags: Readonly<Record<string, string>>
    readonly package: string | null
  }[]
}
export interface SchemaSection {
  readonly key: 'model' | 'method' | 'data' | 'training' | 'validation' | 'samples' | 'output'
  readonly title: BothLanguages
  readonly fields: readonly SchemaField[]
}
export interface SchemaField {
  /** Dotted path in the config. */
  readonly path: string
  readonly label: BothLanguages
  readonly help: BothLanguages
  /** text: one line. list: several texts. json: an object or a mixture of types, edited as JSON. */
  readonly kind: 'text' | 'number' | 'integer' | 'switch' | 'choice' | 'list' | 'json'
  readonly choices: readonly string[]
  /** Null where there is none: absent in the config. */
  readonly default: unknown
  readonly min: number | null
  readonly max: number | null
  /** Whether min and max themselves are outside. */
  readonly above: boolean
  readonly below: boolean
  /** Shown at once; the others behind "All". */
  readonly common: boolean
  /** May be left out of the config. */
  readonly optional: boolean
}

/**
 * `POST /api/plan` {config}: 200, also for a config with faults. A newer request of the same page ends an older one (its reply is 409 `superseded`).
 * 60 s at most.
 */
export interface PlanRequest {
  readonly config: Readonly<Record<string, unknown>>
  /** Only faults and command, at once: no model is opened. */
  readonly quick?: boolean
}
export interface PlanReply {
  /** By field; empty where the config is right. */
  readonly faults: readonly Fault[]
  /** What the run would be; null with faults, with `quick`, and where `problem` is set. */
  readonly plan: NewRunPlan | null
  /** What kept the plan from being made: a model that is not there, data that cannot be read. `param` is the option, where it is known. */
  readonly problem: (RunError & { readonly param: string | null }) | null
  readonly command: CommandReply
}
export interface Fault {
  /** Dotted path; '' for the config as a whole. */
  readonly path: string
  /** `expected …, found …`. */
  readonly message: string
  /** For an option that there is not: the nearest that there is. */
  readonly nearest: string | null
}
export interface NewRunPlan {
  readonly memory: Plan
  /** Bytes free now on the device of the run; null where unknown. */
  readonly free: number | null
  readonly parameters: number
  readonly trainable: number
  readonly steps: number
  readonly sequences: number
  readonly heldOut: number
  readonly tokensPerEpoch: number | null
  readonly trainedTokens: number | null
  readonly mixture: readonly MixtureRow[]
  /** Rows longer than maxLength, and the length of the longest; null where not known. */
  readonly cut: number | null
  readonly longest: number | null
  readonly maxLength: number
  /** Layers of the model. */
  readonly layers: number | null
  /** Seconds of the run, and where the rate is from. */
  readonly time: {
    readonly seconds: number
    readonly tokensPerSecond: number
    readonly from: 'run' | 'measured'
    readonly run: string | null
  } | null
  /** Settings under which it would fit, most helpful first; empty where it fits. `changes` are laid over the config. */
  readonly remedies: readonly {
    readonly flag: string
    readonly changes: Readonly<Record<string, unknown>>
    readonly saves: number
    readonly fits: boolean
  }[]
  readonly notes: readonly string[]
}

/** `POST /api/command` {config}: also a part of the plan. */
export interface CommandReply {
  /** Lines of `npx ift train`, for a shell, to be joined with ` \` and a line break. */
  readonly lines: readonly string[]
  /** Text of an ift.config.json. */
  readonly file: string
}
