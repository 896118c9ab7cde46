import { bind, intOf } from '../arguments.js'
import { limits } from '../budget.js'
import { fixed } from '../format.js'
import { visible } from '../marks.js'
import { operators } from '../operators.js'
import { strip } from '../strings.js'
import { defined, Float, int, isInt, itemsOf, numberOf, TemplateError, typeName } from '../values.js'
import { getter, type Filter } from './shared.js'

// Filters that give numbers.

export const toInt: Filter = (value, args, keywords) => {
  const { default: other = 0, base } = bind('int', ['default', 'base'], args, keywords)
  if (typeof value === 'string') {
    const digits = strip(visible(value), null, true, true).replaceAll('_', '')
    const radix = intOf('base', base, 10)
    // As CPython has it.
    if (digits.length > limits.digits) return other
    if (radix === 10 && /^[+-]?\d+$/.test(digits)) return int(BigInt(digits.replace('+', '')))
    if (radix !== 10) {
      const found = parseInt(digits, radix)
      return Number.isNaN(found) ? other : found
    }
    const float = Number(digits)
    return digits === '' || !Number.isFinite(float) ? other : int(BigInt(Math.trunc(float)))
  }
  const number = numberOf(value)
  if (number === null || (typeof number === 'number' && !Number.isFinite(number))) return other
  return typeof number === 'bigint' ? number : Math.trunc(number)
}

export const toFloat: Filter = (value, args, keywords) => {
  const { default: other = new Float(0) } = bind('float', ['default'], args, keywords)
  const number = typeof value === 'string' && value.trim() !== '' ? Number(visible(value)) : numberOf(value)
  return number === null || Number.isNaN(Number(number)) ? other : new Float(Number(number))
}

/** Half to even, as Python rounds. */
function rounded(value: number): number {
  const low = Math.floor(value)
  const rest = value - low
  return rest < 0.5 ? low : rest > 0.5 ? low + 1 : low % 2 === 0 ? low : low + 1
}

export const round: Filter = (value, args, keywords) => {
  const { precision, method = 'common' } = bind('round', ['precision', 'method'], args, keywords)
  const number = numberOf(defined(value))
  if (number === null) throw new TemplateError(`type ${typeName(value)} doesn't define __round__ method`)
  const digits = intOf('round', precision, 0)
  if (isInt(value) && method === 'common') return value
  const scale = 10 ** digits
  const scaled = Number(number) * scale
  if (method === 'ceil') return new Float(Math.ceil(scaled) / scale)
  if (method === 'floor') return new Float(Math.floor(scaled) / scale)
  return new Float(digits <= 0 ? rounded(scaled) / scale : Number(fixed(Number(number), digits)))
}

export const sum: Filter = (value, args, keywords) => {
  const { attribute: path, start = 0 } = bind('sum', ['attribute', 'start'], args, keywords)
  return itemsOf(value).map(getter(path)).reduce(operators.get('+')!, start)
}

export const absolute: Filter = (value) => {
  const number = numberOf(defined(value))
  if (number === null) throw new TemplateError(`bad operand type for abs(): '${typeName(value)}'`)
  if (value instanceof Float) return new Float(Math.abs(value.value))
  return typeof number === 'bigint' ? int(number < 0n ? -number : number) : Math.abs(number)
}
