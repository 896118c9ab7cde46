import type { TaskRecord } from '@ift/core'

/** A value of a record as text: numbers are written out; '' for what is none. */
export const textOf = (value: unknown): string =>
  typeof value === 'string'
    ? value
    : typeof value === 'number' || typeof value === 'boolean'
      ? String(value)
      : ''

/** The first of the fields that has a text, blanks at its ends cut off; '' where none has. */
export function field({ record }: TaskRecord, ...names: readonly string[]): string {
  for (const name of names) {
    const text = textOf(record[name]).trim()
    if (text !== '') return text
  }
  return ''
}
