import { IftError } from '@ift/tensor'
import { excerpt, type RawRecord } from '../read/record.js'
import type { Example } from '../../contract/data.js'
import { alpaca } from './alpaca.js'
import { completion } from './completion.js'
import type { RecordFormat } from './format.js'
import { fitsLayout, layoutConverter, type RecordLayout } from './layout.js'
import { messages } from './messages.js'
import { sharegpt } from './sharegpt.js'
import { text } from './text.js'
import { tokenized } from './tokenized.js'
import { answerFields, unansweredRecord } from './unanswered.js'

export type { RecordFormat } from './format.js'
export type FormatName = RecordFormat['name']

/** In the order in which they are tried: specific forms first, `text` (often a rendering of the other fields) last. */
const formats: readonly RecordFormat[] = [tokenized, messages, sharegpt, completion, alpaca, text]

export const formatNames: readonly FormatName[] = formats.map(({ name }) => name)

/** The form that a record is written in, or null when it is none that is known. */
export const sniffFormat = (record: Readonly<Record<string, unknown>>): FormatName | null =>
  formats.find((format) => format.matches(record))?.name ?? null

export interface FormatOptions {
  /** The form; found out from the first record when absent. */
  readonly format?: FormatName
  /** Field names of the form mapped to those of the file. */
  readonly columns?: Readonly<Record<string, string>>
  /** How LLaMA-Factory's dataset_info.json lays out the records; then neither form nor columns are looked at. */
  readonly layout?: RecordLayout
  /** Also accepts records without an answer, for prediction; their answer is empty. */
  readonly unanswered?: boolean
}

/** Makes examples of the records of one file. The first record decides the form of all when none is given. */
export function recordConverter(options: FormatOptions = {}): (raw: RawRecord) => Example {
  if (options.layout) return layoutConverter(options.layout)
  const columns = Object.entries(options.columns ?? {})
  let format = options.format ? formats.find(({ name }) => name === options.format) : undefined
  if (options.format && !format)
    throw new IftError(
      'IFT_DATA_FORMAT',
      `Unknown format "${options.format as string}".`,
      `Known formats: ${formatNames.join(', ')}.`,
    )
  const rename = (raw: RawRecord): RawRecord => {
    if (columns.length === 0) return raw
    const record: Record<string, unknown> = {}
    for (const [field, column] of columns) {
      if (!(column in raw.record)) {
        if (options.unanswered && answerFields.has(field)) continue
        throw new IftError(
          'IFT_DATA_RECORD',
          `${raw.where}: no field "${column}", which columns.${field} names; found ${fieldList(raw)}.`,
          'Correct the names in `columns`.',
        )
      }
      record[field] = raw.record[column]
    }
    // Fields that need no renaming stay, unless they are a source of one that did.
    const used = new Set(columns.map(([, column]) => column))
    for (const [field, value] of Object.entries(raw.record))
      if (!(field in record) && !used.has(field)) record[field] = value
    return { record, where: raw.where }
  }
  return (raw) => {
    let renamed = rename(raw)
    if (options.unanswered) renamed = { record: unansweredRecord(renamed.record), where: raw.where }
    if (!options.format) refuseBoth(renamed)
    format ??= formats.find((candidate) => candidate.matches(renamed.record))
    if (!format)
      throw new IftError(
        'IFT_DATA_FORMAT',
        `${raw.where}: the form of the record is not known; its fields are ${fieldList(raw)}.`,
        'Map the fields, for example columns: { instruction: "question", output: "answer" }, or set `format`.',
      )
    return format.convert(renamed)
  }
}

/** Token ids beside a text: tokenised datasets often keep both, and only their owner knows which of the two counts. */
function refuseBoth({ record, where }: RawRecord): void {
  if (!tokenized.matches(record)) return
  const other = formats.find((candidate) => candidate !== tokenized && candidate.matches(record))
  if (!other) return
  const ids = record['ids'] === undefined ? 'input_ids' : 'ids'
  throw new IftError(
    'IFT_DATA_FORMAT',
    `${where}: the record has token ids ("${ids}") and is one of the form ${other.name} too; its fields are ${fieldList({ record, where })}.`,
    `Say which of them is meant: format: "tokenized" or format: "${other.name}".`,
  )
}

const fieldList = ({ record }: RawRecord): string => excerpt(Object.keys(record).join(', ') || 'none', 200)

/** Whether a record is itself an example, in a form that is known or under the names of `columns`. */
export const isExampleRecord = (
  record: Readonly<Record<string, unknown>>,
  { columns, layout, unanswered }: FormatOptions = {},
): boolean => {
  if (layout) return fitsLayout(record, layout)
  const mapped = Object.values(columns ?? {})
  return (
    sniffFormat(record) !== null ||
    (mapped.length > 0 && mapped.every((column) => column in record)) ||
    (unanswered === true && sniffFormat(unansweredRecord(record)) !== null)
  )
}
