import { isExactNumber } from '../exact-json.js'
import { isRecord } from '../read/record.js'
import type { RecordContext } from './read.js'

/**
 * Where a value of a record is: a name, with dots between the names of objects inside each other (`question.full_text`); several
 * names, of which the first counts that leads to a value; or a function of the record, which must be total.
 */
export type Field = string | readonly string[] | ((record: unknown, context: RecordContext) => unknown)

const absent = (value: unknown) => value === undefined || value === null

const own = (value: unknown, name: string): unknown =>
  isRecord(value) && Object.hasOwn(value, name) ? value[name] : undefined

/** A name with a dot in it is tried as it is first. */
function named(record: unknown, name: string): unknown {
  const value = own(record, name)
  return absent(value) && name.includes('.') ? name.split('.').reduce(own, record) : value
}

/** The value of a field; undefined or null where there is none. */
export function valueOf(field: Field, record: unknown, context: RecordContext): unknown {
  if (typeof field === 'function') return field(record, context)
  if (typeof field === 'string') return named(record, field)
  for (const name of field) {
    const value = named(record, name)
    if (!absent(value)) return value
  }
  return undefined
}

function scalarText(value: unknown): string | null {
  if (typeof value === 'string') return value.replaceAll('\r\n', '\n')
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : ''
  if (typeof value === 'boolean' || typeof value === 'bigint') return String(value)
  return isExactNumber(value) ? value.value : null
}

/**
 * A value as text: numbers with the digits of the file, booleans written out, a list of these joined with ", ". Line ends are \n.
 * What is absent, null or no number (NaN) is ''; null stands for what is no text: an object, a list of lists.
 */
export function textOf(value: unknown): string | null {
  if (absent(value)) return ''
  if (!Array.isArray(value)) return scalarText(value)
  const texts = value.map(scalarText)
  return texts.includes(null) ? null : texts.join(', ')
}

export const isBlank = (text: string): boolean => text.trim() === ''

/** The text of a field through functions of texts, one after another; what is no text stays as it is. */
export const through =
  (field: Field, ...functions: readonly ((text: string) => string)[]): Field =>
  (record, context) => {
    const value = valueOf(field, record, context)
    const text = textOf(value)
    return text === null ? value : functions.reduce((made, change) => change(made), text)
  }
