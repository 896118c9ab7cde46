import { IftError } from '@ift/tensor'

/** How many records of a set there may be in a mixture that does not say how many it takes, and how many are counted. */
export interface Bound {
  readonly most: number
  readonly counted: number
}

interface RecordBound extends Bound {
  readonly name: string
}

/** Bounds of sets among others: with more records, a set would drown out the rest of nearly every mixture. */
export const uncapped: Bound = { most: 1_000_000, counted: 10_000_000 }

/** The error of a set with so many records. */
const tooManyRecords = ({ name, counted }: RecordBound, count: number) => {
  const number = (count > counted ? counted : count).toLocaleString('en')
  return new IftError(
    'IFT_DATA_CAP',
    `"${name}" has ${count > counted ? 'more than ' : ''}${number} records, and its entry in data does not say how many of them the mixture takes.`,
    'Set cap: 200000 in its entry, which takes others every epoch; or tokens: 50M, or share: 0.5, half of the mixture. limit: 200000 reads the first ones alone, which saves the time and memory of the rest; weight: 1 takes all.',
  )
}

/** The records as long as there are at most `most`; of more, IFT_DATA_CAP with their number. */
async function* underBound<T>(records: AsyncIterable<T>, bound: RecordBound): AsyncGenerator<T> {
  let count = 0
  for await (const record of records) {
    if (++count <= bound.most) yield record
    else if (count > bound.counted) break
  }
  if (count > bound.most) throw tooManyRecords(bound, count)
}

/** A set as far as its records are counted. */
interface CountedSet {
  readonly name: string
  /** Whether it may have more records than the bound. */
  readonly large: boolean
  readonly examples: () => AsyncIterable<unknown>
  /** Records that gave no example, by reason; filled while the examples are read. */
  readonly dropped: Map<string, number>
}

/** A set of which no more is read than a bound says; beyond it is IFT_DATA_CAP. */
export interface BoundedSet<F extends CountedSet> {
  readonly found: F
  /** Reads a large set only to count it: to compare or tokenise a million records takes far longer. */
  readonly checkFirst: () => Promise<void>
  /** Of a set that was read before, without a bound: the number of its records. */
  readonly checkCount: (count: number) => void
}

/** A set with a bound of its records, those that repeat others too; without one as it is. */
export function bounded<F extends CountedSet>(found: F, limits: Bound | null): BoundedSet<F> {
  if (limits === null) return { found, checkFirst: () => Promise.resolve(), checkCount: () => undefined }
  const bound = { name: found.name, ...limits }
  return {
    found: { ...found, examples: () => underBound(found.examples(), bound) },
    checkFirst: async () => {
      if (!found.large) return
      for await (const _ of underBound(found.examples(), bound));
      found.dropped.clear()
    },
    checkCount: (count) => {
      if (count > bound.most) throw tooManyRecords(bound, count)
    },
  }
}
