import type { Example } from '../../contract/data.js'
import type { DataRandom } from '../random.js'

/** A record that gives no example, and why: a short text without anything of the record, so that records can be counted by it. */
export interface Dropped {
  readonly dropped: string
}

export const drop = (reason: string): Dropped => ({ dropped: reason })

export const isDropped = (value: unknown): value is Dropped =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, 'dropped')

export interface RecordContext {
  /** Name of the file that the record is from, without folders. */
  readonly file: string
  /**
   * Numbers for choices about this record: those of the same dataset, seed, file, record and purpose are the same, however many
   * records were read before.
   */
  readonly random: (purpose: string) => DataRandom
  /** The options of the dataset as the user set them, with their defaults; absent where it takes none. */
  readonly options?: Readonly<Record<string, unknown>>
}

/**
 * Makes examples of one record. It is total: every JSON value gives an example, several, or the reason for none, and nothing is
 * thrown.
 */
export type Read = (record: unknown, context: RecordContext) => Example | readonly Example[] | Dropped

/** Examples of a record; a list without any is as good as a reason. */
export function examplesOf(made: ReturnType<Read>): readonly Example[] | Dropped {
  if (isDropped(made)) return made
  const examples = [made].flat()
  return examples.length > 0 ? examples : drop('no example')
}

/** The first of several ways to read a record that gives an example; the reason of the last where none does. */
export const firstOf =
  (...reads: readonly Read[]): Read =>
  (record, context) => {
    let made: ReturnType<Read> = drop('no way to read the record')
    for (const read of reads) {
      made = read(record, context)
      if (!isDropped(examplesOf(made))) break
    }
    return made
  }
