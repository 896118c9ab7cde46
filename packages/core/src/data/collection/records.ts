import type { DataRandom } from '../random.js'
import { isRecord, type RawRecord } from '../read/record.js'

/** Where a record of a file holds records: the field that has a list of them, or a total function that makes one, or gives undefined. */
export type Inside = string | ((record: Readonly<Record<string, unknown>>) => readonly unknown[] | undefined)

export const holds = (record: Readonly<Record<string, unknown>>, inside: Inside): boolean =>
  Array.isArray(typeof inside === 'string' ? record[inside] : inside(record))

/**
 * Records inside of the list of a field, each with the other fields of the record that holds it; its own count where both have one. A
 * record without the list is given without the field. What a function gives stands alone.
 */
export async function* within(records: AsyncIterable<RawRecord>, inside: Inside): AsyncGenerator<RawRecord> {
  for await (const { record, where } of records) {
    const { list, rest, name } = taken(record, inside)
    if (!Array.isArray(list)) yield { record: rest, where }
    else
      for (const [i, one] of (list as unknown[]).entries())
        yield { record: isRecord(one) ? { ...rest, ...one } : rest, where: `${where} ${name}[${i}]` }
  }
}

function taken(record: Readonly<Record<string, unknown>>, inside: Inside) {
  if (typeof inside === 'function') return { list: inside(record), rest: {}, name: '' }
  const { [inside]: list, ...rest } = record
  return { list, rest, name: inside }
}

/** Most records of a group: one of more, such as a file in which all have the same key, is cut into several. */
const mostGrouped = 1000

/** Whether a record holds a group of others already. */
export const isGroup = (record: Readonly<Record<string, unknown>>): boolean =>
  Array.isArray(record['records'])

/**
 * Records one after another that have the same key as one, `{ records: [ … ] }`, which stands where the first of them does. A record
 * without a key (null or '') is alone, and one that holds `records` already stays as it is.
 */
export async function* grouped(
  records: AsyncIterable<RawRecord>,
  keyOf: (record: unknown, where: string) => string | null,
): AsyncGenerator<RawRecord> {
  let held: { readonly key: string; readonly where: string; readonly records: unknown[] } | undefined
  const release = () => (held ? [{ record: { records: held.records }, where: held.where }] : [])
  for await (const one of records) {
    const { record, where } = one
    const key = isGroup(record) ? null : (keyOf(record, where) ?? '')
    if (held && held.key === key && held.key !== '' && held.records.length < mostGrouped) {
      held.records.push(record)
      continue
    }
    yield* release()
    held = key === null ? undefined : { key, where, records: [record] }
    if (key === null) yield one
  }
  yield* release()
}

/** At most so many of the records, in their order, each as likely as the others. All are read, `most` of them are kept in memory. */
export async function* sampled<T>(
  records: AsyncIterable<T>,
  most: number,
  random: DataRandom,
): AsyncGenerator<T> {
  const kept: { readonly at: number; readonly record: T }[] = []
  let count = 0
  for await (const record of records) {
    const at = count++
    const place = at < most ? at : random.below(count)
    if (place < most) kept[place] = { at, record }
  }
  for (const { record } of kept.toSorted((a, b) => a.at - b.at)) yield record
}
