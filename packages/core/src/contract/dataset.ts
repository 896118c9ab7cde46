import type { ZodType } from 'zod'
import type { Example } from './data.js'

/** Languages of a dataset: English, Chinese, many. The original platform's tags. */
export type Language = 'EN' | 'CN' | 'ML'
/** Many tasks, or one. */
export type TaskScope = 'MT' | 'TS'
/** Made by people, by self-instruction, by both, or collected from other sets. */
export type GeneratedBy = 'HG' | 'SI' | 'MIX' | 'COL'

export interface DatasetContext {
  /** Folder of the config file. */
  readonly rootDir: string
  /**
   * Local path of a file of the dataset: `name` inside the folder or file the user gave, or fetched from the hub.
   * A pattern (`data/*.jsonl`) is given with the folder that it is in, for all files that it matches. Fails with IFT_SOURCE_NOT_FOUND, naming
   * where it looked. `hub` is another hub id than that of the definition. Where the user names a
   * split, `name` is the training file and the one with the word of the split in place of `train` is given; with `everySplit` it is the
   * name of the file itself. Tokenised samples are kept by the contents of these files: examples that depend on other files, or on the time
   * or the net, must not ask for any.
   */
  file(name: string, hub?: string, how?: { readonly everySplit?: boolean }): Promise<string>
  /** The split that the user names, of a dataset whose files are not called by it; absent for training. */
  readonly split?: string
  /** What the user set of `DatasetDefinition.options`; nothing when absent. */
  readonly options?: Readonly<Record<string, unknown>>
  /** Told of a record that gives no example: the reason, without anything of the record, and file:line. */
  dropped?(reason: string, where: string): void
  /** Seeds choices such as templates; the same seed gives the same examples. */
  readonly seed: number
}

/** A place where data is published: a hub id or another address. */
export interface UpstreamPlace {
  readonly hub?: string | undefined
  readonly url?: string | undefined
  readonly files: readonly {
    readonly path: string
    readonly bytes?: number | undefined
    readonly sha256?: string | undefined
  }[]
}

export interface DatasetDefinition {
  readonly name: string
  /** SPDX identifier or the licence's name, of the data. */
  readonly license: string
  /** What the licence allows and asks, as far as somebody says. */
  readonly terms?: {
    readonly commercial?: boolean | undefined
    readonly shareAlike?: boolean | undefined
    /** Whose terms apply besides: OpenAI's on outputs of its models. */
    readonly others: readonly string[]
  }
  /** Other datasets that it holds, whole or in part, as `name` or `name:part`. */
  readonly contains?: readonly string[]
  /** Data that others evaluate on and that it holds. */
  readonly evaluation?: readonly string[]
  /** What somebody who trains on it should know. */
  readonly warnings?: readonly string[]
  /** Where the data comes from: a URL or a citation. */
  readonly source: string
  /** Places where it is published, with the files that are read of it. `data fetch` compares what it fetches with `bytes` and `sha256`. */
  readonly upstream?: readonly UpstreamPlace[]
  readonly description: string
  readonly tags: {
    readonly lang: readonly Language[]
    readonly task: readonly TaskScope[]
    readonly gen: readonly GeneratedBy[]
  }
  /** Records in the published set, with what is counted. */
  readonly size?: { readonly count: number; readonly unit: string }
  /** Hub id that `file` fetches from when the user names no folder. */
  readonly hub?: string
  /** What a user may set for it in the config (zod), each with a default; nothing when absent. */
  readonly options?: ZodType<Readonly<Record<string, unknown>>>
  /**
   * Asks `context.file` for the files that `load` reads, as far as these are known before any is read, and reads none: `data fetch` tells
   * their sizes so. Places that it is given lead to no file. Throws what `load` throws where they are missing.
   */
  files?(context: DatasetContext): Promise<void>
  load(context: DatasetContext): AsyncIterable<Example>
}
