import { joinTexts, spend, spendText } from './budget.js'
import { isMark } from './marks.js'
import { Attributes, CallArguments, Float, Tuple, Undefined, type Value } from './values.js'

/** The digits of a float as Python writes them: the shortest that give it back, with a point or an exponent. */
export function floatText({ value, digits }: Float): string {
  if (digits !== undefined) return digits
  if (Number.isNaN(value)) return 'nan'
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0'
  const [mantissa, exponent] = value.toExponential().split('e') as [string, string]
  const power = Number(exponent)
  if (power < -4 || power >= 16) {
    const size = Math.abs(power)
    return `${mantissa}e${power < 0 ? '-' : '+'}${size < 10 ? '0' : ''}${size}`
  }
  if (power >= 0) {
    const plain = String(value)
    return plain.includes('.') ? plain : `${plain}.0`
  }
  const sign = value < 0 ? '-' : ''
  return `${sign}0.${'0'.repeat(-power - 1)}${mantissa.replace(/[-.]/g, '')}`
}

const escapes = new Map([
  ['\\', '\\\\'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
])
const unprintable = /[\\\n\r\t]|(?! )[\p{C}\p{Z}]/gu

function quoted(text: string): string {
  spendText(8 * text.length)
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'"
  const inner = text.replace(unprintable, (char) => {
    const code = char.codePointAt(0)!
    if (isMark(code)) return char
    const hex = code.toString(16)
    return (
      escapes.get(char) ??
      (code < 0x100
        ? `\\x${hex.padStart(2, '0')}`
        : code < 0x10000
          ? `\\u${hex.padStart(4, '0')}`
          : `\\U${hex.padStart(8, '0')}`)
    )
  })
  return quote + (quote === "'" ? inner.replaceAll("'", "\\'") : inner) + quote
}

const listed = (items: readonly Value[]) =>
  joinTexts(
    items.map((item) => repr(item)),
    ', ',
  )

/** The text that Python's `repr()` makes; `bare` leaves a string as it is, as `str()` does. */
export function repr(value: Value, bare = false): string {
  if (typeof value === 'string') return bare ? value : quoted(value)
  // A list may hold another one twice, which holds a third one twice.
  spend(1)
  if (value === null) return 'None'
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (typeof value === 'number' || typeof value === 'bigint') return String(value)
  if (value instanceof Float) return floatText(value)
  if (value instanceof Tuple) return value.length === 1 ? `(${repr(value[0]!)},)` : `(${listed(value)})`
  if (Array.isArray(value)) return `[${listed(value)}]`
  if (value instanceof Map)
    return `{${joinTexts(
      [...value].map(([key, item]) => `${repr(key)}: ${repr(item)}`),
      ', ',
    )}}`
  if (value instanceof Undefined) return 'Undefined'
  if (value instanceof CallArguments) return repr(value.given ?? value.object)
  return value instanceof Attributes ? `<${value.constructor.name}>` : `<function ${value.name}>`
}
