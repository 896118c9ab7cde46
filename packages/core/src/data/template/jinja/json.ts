import { joinTexts, repeatText, spend, spendText } from './budget.js'
import { isMark } from './marks.js'
import { floatText } from './repr.js'
import { compare, CallArguments, Float, TemplateError, typeName, type Value } from './values.js'

export interface JsonOptions {
  /** Blanks of a level, or the text that stands for them; null for one line. */
  readonly indent?: string | null
  readonly ensureAscii?: boolean
  readonly separators?: readonly [item: string, key: string] | null
  readonly sortKeys?: boolean
}

function textJson(text: string, ensureAscii: boolean): string {
  spendText(text.length)
  // JSON.stringify escapes halves of surrogate pairs, as ensure_ascii does; Python writes them as they are.
  const json = JSON.stringify(text)
  if (!ensureAscii) return json
  return json.replace(/[\x7f-\uffff]/g, (char) =>
    char === '\x7f' || isMark(char.charCodeAt(0))
      ? char
      : `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

const floatJson = (value: Float): string => {
  const text = floatText(value)
  return text === 'nan' ? 'NaN' : text.endsWith('inf') ? text.replace('inf', 'Infinity') : text
}

function keyJson(key: Value, ensureAscii: boolean): string {
  if (typeof key === 'string') return textJson(key, ensureAscii)
  if (
    key === null ||
    typeof key === 'boolean' ||
    key instanceof Float ||
    typeof key === 'number' ||
    typeof key === 'bigint'
  )
    return `"${dumps(key)}"`
  throw new TemplateError(`keys must be str, int, float, bool or None, not ${typeName(key)}`)
}

/** Python's `json.dumps` with `ensure_ascii=False` unless asked otherwise, as chat templates have it for `tojson`. */
export function dumps(value: Value, options: JsonOptions = {}, depth = 0): string {
  const { indent = null, ensureAscii = false, sortKeys = false } = options
  if (typeof value === 'string') return textJson(value, ensureAscii)
  // A list may hold another one twice, which holds a third one twice.
  spend(1)
  if (value === null) return 'null'
  if (typeof value === 'boolean' || typeof value === 'number' || typeof value === 'bigint')
    return String(value)
  if (value instanceof Float) return floatJson(value)
  if (value instanceof CallArguments) return dumps(value.object, options, depth)
  const [itemEnd, keyEnd] = options.separators ?? [indent === null ? ', ' : ',', ': ']
  const inside = indent === null ? '' : `\n${repeatText(indent, depth + 1)}`
  const behind = indent === null ? '' : `\n${repeatText(indent, depth)}`
  const write = (parts: readonly string[], open: string, close: string) =>
    parts.length === 0 ? open + close : open + inside + joinTexts(parts, itemEnd + inside) + behind + close
  if (Array.isArray(value))
    return write(
      Array.from(value, (item) => dumps(item, options, depth + 1)),
      '[',
      ']',
    )
  if (value instanceof Map) {
    const entries = [...value]
    if (sortKeys) entries.sort(([a], [b]) => compare(a, b))
    return write(
      entries.map(([key, item]) => keyJson(key, ensureAscii) + keyEnd + dumps(item, options, depth + 1)),
      '{',
      '}',
    )
  }
  throw new TemplateError(`Object of type ${typeName(value)} is not JSON serializable`)
}
