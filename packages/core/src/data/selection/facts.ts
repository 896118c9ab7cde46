import type { DatasetDefinition } from '../../contract/dataset.js'

/** What is known of a dataset without its package being loaded, as far as it can be chosen by it. */
export interface SelectableDataset {
  readonly name: string
  /** Package that provides it; null for a dataset that a plugin of the config registers. */
  readonly package: string | null
  readonly title: string | null
  readonly tags: DatasetDefinition['tags'] | null
  /** Forms of the examples: instruction, dialog, preference, table, exam. */
  readonly kind: readonly string[]
  readonly license: {
    /** Null where it is not known at all. */
    readonly id: string | null
    /** Whether commercial use is allowed; absent when nobody says. */
    readonly commercial?: boolean | undefined
    readonly shareAlike?: boolean | undefined
  }
  /** Records, in the unit of the set; null when not known. */
  readonly count: number | null
  /** Data in it that others evaluate on. */
  readonly evaluation: readonly string[]
  /** The dataset of the same package that has these records too. */
  readonly variantOf: string | null
}
