import { isExactNumber } from '../exact-json.js'
import type { RawRecord } from '../read/record.js'
import { wrongField } from './format.js'

/** OpenAI's weight of an answer: 0 keeps it as context, 1 learns it. */
export function learnedOf(raw: RawRecord, field: string, weight: unknown): { learned?: false } {
  if (weight === undefined || weight === null) return {}
  // A program may write 0.0, whose digits are kept.
  const number = isExactNumber(weight)
    ? Number(weight.value)
    : weight === true
      ? 1
      : weight === false
        ? 0
        : weight
  if (number === 0) return { learned: false }
  if (number === 1) return {}
  throw wrongField(raw.where, field, '0 (context only) or 1 (learned)', weight)
}
