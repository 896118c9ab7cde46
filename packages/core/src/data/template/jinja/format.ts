import { checkText, limits, repeatText, spendText } from './budget.js'
import { visible } from './marks.js'
import { floatText, repr } from './repr.js'
import {
  asObject,
  Float,
  isInt,
  keyOf,
  numberOf,
  str,
  TemplateError,
  Tuple,
  typeName,
  type Keywords,
  type Value,
} from './values.js'

/** A number with `precision` digits behind the point. */
export function fixed(value: number, precision: number): string {
  return value.toFixed(Math.min(100, precision))
}

interface Spec {
  readonly fill: string
  readonly align: string
  readonly sign: string
  readonly width: number
  readonly grouped: boolean
  readonly precision: number | null
  readonly kind: string
}

function specOf(text: string): Spec {
  const match = /^(?:(.)?([<>^=]))?([+\- ]?)#?(0?)(\d*)(,?)(?:\.(\d+))?([a-zA-Z%]?)$/su.exec(text)
  if (!match) throw new TemplateError(`Invalid format specifier '${text}'`)
  const [, fill, align = '', sign = '', zero, width = '', comma, precision, kind = ''] = match
  return {
    fill: fill ?? (zero ? '0' : ' '),
    align: align || (zero ? '=' : ''),
    sign,
    width: Number(width || 0),
    grouped: comma === ',',
    precision: precision === undefined ? null : Number(precision),
    kind,
  }
}

function numberText(value: Value, { kind, precision, grouped, sign }: Spec): string {
  const number = numberOf(value)
  if (number === null)
    throw new TemplateError(`Unknown format code '${kind}' for object of type '${typeName(value)}'`)
  const size = typeof number === 'bigint' ? (number < 0n ? -number : number) : Math.abs(number)
  let text: string
  if (kind === 'f' || kind === 'F') text = fixed(Number(size), precision ?? 6)
  else if (kind === '%') text = `${fixed(Number(size) * 100, precision ?? 6)}%`
  else if (kind === 'e' || kind === 'E')
    text = Number(size)
      .toExponential(precision ?? 6)
      .replace(/e([+-])(\d)$/, 'e$10$2')
  else if (kind === 'g') text = String(Number(Number(size).toPrecision(precision ?? 6)))
  else if (kind === 'x') text = size.toString(16)
  else if (kind === 'X') text = size.toString(16).toUpperCase()
  else if (kind === 'o') text = size.toString(8)
  else if (kind === 'b') text = size.toString(2)
  else
    text =
      value instanceof Float
        ? floatText(new Float(Number(size), value.digits?.replace('-', '')))
        : String(size)
  if (grouped) text = text.replace(/^\d+/, (digits) => digits.replace(/\B(?=(\d{3})+$)/g, ','))
  return (
    (number < 0 || (Object.is(number, -0) && value instanceof Float) ? '-' : sign === '-' ? '' : sign) + text
  )
}

function formatted(value: Value, text: string): string {
  if (text === '') return str(value)
  const spec = specOf(text)
  const isNumber = typeof value === 'boolean' ? spec.kind !== '' : numberOf(value) !== null
  let out = isNumber ? numberText(value, spec) : str(value)
  if (!isNumber && spec.precision !== null) out = Array.from(out).slice(0, spec.precision).join('')
  const missing = Math.max(0, spec.width - Array.from(visible(out)).length)
  switch (spec.align || (isNumber ? '>' : '<')) {
    case '<':
      return out + repeatText(spec.fill, missing)
    case '^':
      return (
        repeatText(spec.fill, Math.floor(missing / 2)) + out + repeatText(spec.fill, Math.ceil(missing / 2))
      )
    case '=': {
      const sign = /^[+\- ]/.test(out) ? out[0]! : ''
      return sign + repeatText(spec.fill, missing) + out.slice(sign.length)
    }
    default:
      return repeatText(spec.fill, missing) + out
  }
}

const entryOf = (object: Value, key: string): Value | undefined => {
  if (object instanceof Map) return object.get(keyOf(key))
  return Array.isArray(object) ? object[Number(key)] : undefined
}

/** Counts what is put into a text, a field after the other. */
function adder(text: string): (field: string) => string {
  let length = text.length
  spendText(length)
  return (field) => {
    length += field.length
    spendText(field.length)
    if (length > limits.characters) checkText(length)
    return field
  }
}

/** `str.format`: fields by place or by name with a conversion and a format, without attributes. */
export function formatFields(text: string, args: readonly Value[], keywords: Keywords): string {
  let next = 0
  const add = adder(text)
  return text.replace(
    /\{\{|\}\}|\{([^{}!:]*)(?:!([rsa]))?(?::([^{}]*))?\}|[{}]/g,
    (whole, name: string | undefined, conversion: string | undefined, spec: string | undefined) => {
      if (whole === '{{') return '{'
      if (whole === '}}') return '}'
      if (name === undefined) throw new TemplateError(`Single '${whole}' encountered in format string`)
      const [, base = '', path = ''] = /^([^.[]*)(.*)$/s.exec(name) ?? []
      const named = base === '' ? args[next++] : /^\d+$/.test(base) ? args[Number(base)] : keywords.get(base)
      const keys = [...path.matchAll(/\[([^\][]*)\]/g)].map(([, key = '']) => key)
      const value = keys.reduce<Value | undefined>(
        (found, key) => (found === undefined ? found : entryOf(asObject(found), key)),
        named,
      )
      if (value === undefined) throw new TemplateError(`format: no argument for {${name}}`)
      return add(
        formatted(conversion === 'r' ? repr(value) : conversion === 's' ? str(value) : value, spec ?? ''),
      )
    },
  )
}

/** `text % values`. */
export function formatPercent(text: string, values: Value): string {
  const list = values instanceof Tuple ? [...values] : [values]
  let next = 0
  const add = adder(text)
  // Without bounds to what it repeats, the pattern is quadratic.
  const out = text.replace(
    /%(?:\(([^)]{0,200})\))?([-+ 0#]{0,8})(\d{0,9})(?:\.(\d{1,9}))?([sdifrxXeEgGo%a])/g,
    (
      _,
      name: string | undefined,
      flags: string,
      width: string,
      precision: string | undefined,
      kind: string,
    ) => {
      if (kind === '%') return '%'
      const object = asObject(values)
      const value =
        name === undefined ? list[next++] : object instanceof Map ? object.get(keyOf(name)) : undefined
      if (value === undefined) throw new TemplateError('not enough arguments for format string')
      if ('dixX'.includes(kind) && !isInt(value) && numberOf(value) === null)
        throw new TemplateError(`%${kind} format: a real number is required, not ${typeName(value)}`)
      const align = flags.includes('-') ? '<' : flags.includes('0') ? '0=' : '>'
      const sign = flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : ''
      const digits = precision === undefined ? '' : `.${precision}`
      if (kind === 's' || kind === 'r' || kind === 'a')
        return add(
          formatted(kind === 's' ? str(value) : repr(value), `${align.replace('0=', '>')}${width}${digits}`),
        )
      const whole = 'di'.includes(kind)
      const number = whole && value instanceof Float ? Math.trunc(value.value) : value
      return add(formatted(number, `${align}${sign}${width}${whole ? '' : digits}${whole ? 'd' : kind}`))
    },
  )
  if (next < list.length && values instanceof Tuple)
    throw new TemplateError('not all arguments converted during string formatting')
  return out
}
