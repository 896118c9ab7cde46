import type { Examination } from '../data/duplicates/index.js'
import type { MixtureRow, SampleView } from '../data/mixture/index.js'
import type { SampleStore, StoreCounts } from '../data/store/index.js'
import type { SampleLimit } from '../data/virtual-tokens.js'
import type { DataFacts } from './data-facts.js'
import type { Filling } from './fill-rows.js'

/** One dataset of a run, tokenised. */
export interface RunDataset {
  readonly name: string
  /** What is known of a dataset of a package; null of files. */
  readonly facts: DataFacts | null
  /** Its samples; null while they are made. */
  readonly store: SampleStore | null
  /** What became of its examples, so far. */
  readonly counts: StoreCounts
  /** Files of its folder that are not read because their names mark a held-out split. */
  readonly leftOut: readonly string[]
  /** Records of a dataset package that gave no example, by reason. */
  readonly dropped: Readonly<Record<string, number>>
}

/** Tokenised samples of a run. */
export interface RunData {
  readonly train: SampleView
  readonly validation: SampleView | null
  readonly datasets: readonly RunDataset[]
  /** Samples that `dedup` took out by their tokens. */
  readonly duplicates: number
  /** What the run takes of each dataset. */
  readonly mixture: readonly MixtureRow[]
  /** What `dedup` and `decontaminate` found in the texts; null when they ask for nothing that needs them. */
  readonly examination: Examination | null
  /** The most tokens of a sample, and the limit that decides. */
  readonly limit: SampleLimit
  /** Tokens of the longest sample, of those held out too. */
  readonly longest: number
  /** sha256 of everything that decides the samples and their order in the data. */
  readonly hash: string
  /** The same of each set to train on, by name. */
  readonly sources: Readonly<Record<string, string>>
  /** Whether the order is one of all rows, of which those without a sample are passed over. */
  readonly byRows: boolean
  /** Sets whose samples were not all made when the data were opened. */
  readonly fillings: readonly Filling[]
  /** Whether a recorded hash is of these samples, also one of an earlier version. */
  readonly isHash: (recorded: string) => boolean
  /** Notes that stop nothing: a cache that cannot be written. */
  readonly notes: readonly string[]
  /** Closes the files of the samples. */
  release(): void
}
