import { IftError } from '@ift/tensor'

/** Records of a set; how many there may be in a mixture that does not say how many it takes; and how many are counted. */
export interface RecordBound {
  readonly name: string
  readonly most: number
  readonly counted: number
}

/** Bounds of sets among others: with more records, a set would drown out the rest of nearly every mixture. */
export const uncapped = { most: 1_000_000, counted: 10_000_000 }

/** The error of a set with so many records. */
export const tooManyRecords = ({ name, counted }: RecordBound, count: number) => {
  const number = (count > counted ? counted : count).toLocaleString('en')
  return new IftError(
    'IFT_DATA_CAP',
    `"${name}" has ${count > counted ? 'more than ' : ''}${number} records, and its entry in data does not say how many of them the mixture takes.`,
    'Set cap: 200000 in its entry, which takes others every epoch; or tokens: 50M, or share: 0.5, half of the mixture. limit: 200000 reads the first ones alone, which saves the time and memory of the rest; weight: 1 takes all.',
  )
}

/** The records as long as there are at most `most`; of more, IFT_DATA_CAP with their number. */
export async function* underBound<T>(records: AsyncIterable<T>, bound: RecordBound): AsyncGenerator<T> {
  let count = 0
  for await (const record of records) {
    if (++count <= bound.most) yield record
    else if (count > bound.counted) break
  }
  if (count > bound.most) throw tooManyRecords(bound, count)
}

/** Reads the records only to see that they are not too many. */
export async function checkBound(records: AsyncIterable<unknown>, bound: RecordBound): Promise<void> {
  for await (const _ of underBound(records, bound));
}
