import type { SchemaField } from '../../api/types.js'
import { readNumber } from '../../components/number-text.js'
import { valueText } from '../runs/compare.js'

/** What a text in a field means: a value, nothing (the default holds), or something wrong. */
export type FieldValue =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'absent' }
  | { readonly kind: 'wrong'; readonly found: string; readonly expected: Expected }

/** What would have been right; words for it are in the view's text. */
export type Expected =
  | { readonly kind: 'number' | 'whole' | 'json' | 'choice' | 'value'; readonly choices?: readonly string[] }
  | {
      readonly kind: 'bounds'
      readonly min: number | null
      readonly max: number | null
      readonly above: boolean
      readonly below: boolean
    }

const wrong = (found: string, expected: Expected): FieldValue => ({ kind: 'wrong', found, expected })

/** Reads what was typed into a field of the form. */
export function readField(field: SchemaField, typed: string): FieldValue {
  const text = typed.trim()
  if (text === '')
    return field.optional || field.default !== null ? { kind: 'absent' } : wrong('', { kind: 'value' })
  switch (field.kind) {
    case 'number':
    case 'integer':
      return numeric(field, text)
    case 'json':
      return structured(text)
    case 'list':
      return {
        kind: 'value',
        value: text
          .split(/[\n,]/)
          .map((part) => part.trim())
          .filter((part) => part !== ''),
      }
    case 'choice':
      return field.choices.includes(text)
        ? { kind: 'value', value: text }
        : wrong(text, { kind: 'choice', choices: field.choices })
    default:
      return { kind: 'value', value: text }
  }
}

function numeric(field: SchemaField, text: string): FieldValue {
  const value = readNumber(text)
  if (value === null) return wrong(text, { kind: field.kind === 'integer' ? 'whole' : 'number' })
  if (field.kind === 'integer' && !Number.isInteger(value)) return wrong(valueText(value), { kind: 'whole' })
  const { min, max, above, below } = field
  const low = min !== null && (above ? value <= min : value < min)
  const high = max !== null && (below ? value >= max : value > max)
  return low || high
    ? wrong(valueText(value), { kind: 'bounds', min, max, above, below })
    : { kind: 'value', value }
}

/** JSON where the text looks like it, else the text itself: names stand beside objects in mixed types. */
function structured(text: string): FieldValue {
  if (/^(true|false|null|-?\d)/.test(text) || /^[[{"]/.test(text))
    try {
      return { kind: 'value', value: JSON.parse(text) as unknown }
    } catch {
      if (/^[[{"]/.test(text))
        return wrong(text.length > 40 ? `${text.slice(0, 39)}…` : text, { kind: 'json' })
    }
  return { kind: 'value', value: text }
}

/** A value as its field shows it. */
export function fieldText(field: SchemaField, value: unknown): string {
  if (value === undefined || value === null) return ''
  if (typeof value === 'number') return valueText(value)
  if (typeof value === 'string') return value
  if (field.kind === 'list' && Array.isArray(value) && value.every((each) => typeof each === 'string'))
    return value.join(', ')
  return JSON.stringify(value)
}
