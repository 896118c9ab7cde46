import { IftError } from '@ift/tensor'
import { isExactNumber } from '../exact-json.js'
import { kindOf, type RawRecord } from '../read/record.js'
import type { Example } from '../../contract/data.js'

/** How a file writes its examples. */
export interface RecordFormat {
  /** As in the config's `format`. */
  readonly name: 'alpaca' | 'sharegpt' | 'messages' | 'completion' | 'text' | 'tokenized'
  /** Fields that a `columns` mapping may name. */
  readonly fields: readonly string[]
  /** Whether the record looks like one of this form. */
  matches(record: Readonly<Record<string, unknown>>): boolean
  /** Throws IFT_DATA_RECORD with file:line, field, expected and found. */
  convert(raw: RawRecord): Example
}

/** IFT_DATA_RECORD for one field of a record. */
export const wrongField = (
  where: string,
  field: string,
  expected: string,
  found: unknown,
  hint?: string,
): IftError =>
  new IftError(
    'IFT_DATA_RECORD',
    `${where}: field "${field}": expected ${expected}, found ${found === undefined ? 'nothing' : kindOf(found)}.`,
    hint ?? 'Mend or delete the record; `npx ift data validate` lists every broken one.',
  )

/** Text of a field; booleans are written out, and numbers with the digits of the file. */
export function textField(raw: RawRecord, field: string): string {
  const value = raw.record[field]
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (isExactNumber(value)) return value.value
  throw wrongField(raw.where, field, 'a text', value)
}

/** Like textField, but absent and null are ''. */
export const optionalText = (raw: RawRecord, field: string): string =>
  raw.record[field] === undefined || raw.record[field] === null ? '' : textField(raw, field)
