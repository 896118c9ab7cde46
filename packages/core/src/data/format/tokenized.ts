import { isExactNumber } from '../exact-json.js'
import type { RawRecord } from '../read/record.js'
import type { TokenizedExample } from '../../contract/data.js'
import { wrongField, type RecordFormat } from './format.js'

function integers(raw: RawRecord, field: string): number[] {
  const value = raw.record[field]
  const isId = (id: unknown): id is number => Number.isSafeInteger(id)
  if (Array.isArray(value) && value.length > 0) {
    if (value.every(isId)) return value
    // Ids that went through floats are written 17.0.
    const ids = value.map((id: unknown) => (isExactNumber(id) ? Number(id.value) : id))
    if (ids.every(isId)) return ids
  }
  throw wrongField(raw.where, field, 'a list of whole numbers that is not empty', value)
}

/** {ids | input_ids, labels?}: made elsewhere; labels are -100 or the id of their own position. */
export const tokenized: RecordFormat = {
  name: 'tokenized',
  fields: ['ids', 'labels'],
  matches: (record) => Array.isArray(record['ids']) || Array.isArray(record['input_ids']),
  convert(raw): TokenizedExample {
    const ids = integers(raw, raw.record['ids'] === undefined ? 'input_ids' : 'ids')
    if (raw.record['labels'] === undefined || raw.record['labels'] === null) return { ids }
    const labels = integers(raw, 'labels')
    if (labels.length !== ids.length)
      throw wrongField(
        raw.where,
        'labels',
        `${ids.length} labels, one for each id,`,
        labels,
        `Found ${labels.length}.`,
      )
    return { ids, labels }
  },
}
