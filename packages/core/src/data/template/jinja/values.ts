import { checkList, spend, spendText } from './budget.js'
import { TemplateError } from './errors.js'
import { dumps } from './json.js'
import { visible } from './marks.js'
import { repr } from './repr.js'
import { firstIn } from './search.js'

// Values of a template are those of Python, because templates are written against Jinja2: a str is a string, an int a
// whole number or a bigint, a list an array, a dict a Map, None null. Values that JavaScript lacks have a class here.

export type Value =
  | string
  | boolean
  | number
  | bigint
  | null
  | Float
  | Value[]
  | Dict
  | Undefined
  | Attributes
  | Callable
  | CallArguments

export type Dict = Map<Value, Value>

/** A float; `digits` are those that its file has for it, where Python would write others. */
export class Float {
  constructor(
    readonly value: number,
    readonly digits?: string,
  ) {}
}

/** A list that is written with round brackets. */
export class Tuple extends Array<Value> {
  static override get [Symbol.species]() {
    return Array
  }
  static with(...items: Value[]): Tuple {
    const tuple = new Tuple()
    for (const item of items) tuple.push(item)
    return tuple
  }
}

/** The value of a name or field that does not exist. */
export class Undefined {
  /** `message` is that of the error where something is computed with it. */
  constructor(readonly message: string) {}
}

/** An object with attributes, made by a template or by the engine. */
export abstract class Attributes {
  abstract get(name: string): Value | undefined
}

/** Result of `namespace()`. */
export class Namespace extends Attributes {
  readonly fields = new Map<string, Value>()
  override get(name: string): Value | undefined {
    return this.fields.get(name)
  }
}

export type Keywords = ReadonlyMap<string, Value>

/** A function, method or macro. */
export class Callable {
  constructor(
    readonly name: string,
    readonly call: (args: readonly Value[], keywords: Keywords) => Value,
  ) {}
}

/**
 * Arguments of a tool call. OpenAI's API writes them as JSON in a text, and templates want the text or the object: this is
 * the one that it was given as, and the other where an operation only takes that.
 */
export class CallArguments {
  constructor(
    readonly object: Dict | Value[],
    /** The text as it was given; null when the object was. */
    readonly given: string | null,
  ) {}

  get text(): string {
    return this.given ?? dumps(this.object)
  }
}

export { TemplateError }

export const none: Keywords = new Map()

export const isInt = (value: Value): value is number | bigint =>
  typeof value === 'number' || typeof value === 'bigint'

/** `value` in a place that expects a list or a dict. */
export const asObject = (value: Value): Value => (value instanceof CallArguments ? value.object : value)

/** `value` in a place that expects a text. */
export const asText = (value: Value): Value => (value instanceof CallArguments ? value.text : value)

/** As it was given. */
export const asGiven = (value: Value): Value =>
  value instanceof CallArguments ? (value.given ?? value.object) : value

export const typeName = (value: Value): string => {
  if (typeof value === 'string') return 'str'
  if (typeof value === 'boolean') return 'bool'
  if (value === null) return 'NoneType'
  if (isInt(value)) return 'int'
  if (value instanceof Float) return 'float'
  if (value instanceof Tuple) return 'tuple'
  if (Array.isArray(value)) return 'list'
  if (value instanceof Map) return 'dict'
  if (value instanceof Undefined) return 'Undefined'
  if (value instanceof CallArguments) return typeName(asGiven(value))
  return value instanceof Attributes ? value.constructor.name : 'function'
}

export const undefinedError = ({ message }: Undefined): TemplateError => new TemplateError(message)

/** Refuses what does not exist, as Jinja2 does wherever such a value is computed with. */
export function defined(value: Value): Exclude<Value, Undefined> {
  if (value instanceof Undefined) throw undefinedError(value)
  return value
}

export function truth(value: Value): boolean {
  switch (typeof value) {
    case 'string':
      return value !== '' && visible(value) !== ''
    case 'boolean':
      return value
    case 'number':
      return value !== 0
    case 'bigint':
      return value !== 0n
  }
  if (value === null || value instanceof Undefined) return false
  if (value instanceof Float) return value.value !== 0
  if (value instanceof Map) return value.size > 0
  if (Array.isArray(value)) return value.length > 0
  if (value instanceof CallArguments) return truth(asGiven(value))
  return true
}

/** The text that `str()` makes. */
export const str = (value: Value): string => {
  if (typeof value === 'string') return value
  if (value instanceof Undefined) return ''
  return repr(asGiven(value), true)
}

/** The number that a bool, int or float is. */
export const numberOf = (value: Value): number | bigint | null => {
  if (typeof value === 'boolean') return value ? 1 : 0
  if (isInt(value)) return value
  return value instanceof Float ? value.value : null
}

/** An int of a result, exact however large. */
export const int = (value: bigint): number | bigint =>
  value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value

export function equal(a: Value, b: Value): boolean {
  a = asGiven(a)
  b = asGiven(b)
  spendText(typeof a === 'string' ? a.length : 0)
  if (typeof a === 'string' && typeof b === 'string') return a === b || visible(a) === visible(b)
  const [x, y] = [numberOf(a), numberOf(b)]
  // A bigint and a number are equal when they are the same number.
  if (x !== null && y !== null) return x == y
  if (a instanceof Undefined) return b instanceof Undefined
  if (Array.isArray(a) && Array.isArray(b))
    return (
      a instanceof Tuple === b instanceof Tuple &&
      a.length === b.length &&
      a.every((item, i) => equal(item, b[i]!))
    )
  if (a instanceof Map && b instanceof Map) {
    if (a.size !== b.size) return false
    for (const [key, value] of a) {
      const other = b.get(key)
      if (other === undefined || !equal(value, other)) return false
    }
    return true
  }
  return a === b
}

/** Below 0, 0 or above; TypeError of Python for kinds that have no order. */
export function compare(a: Value, b: Value, operator = '<'): number {
  a = asGiven(defined(a))
  b = asGiven(defined(b))
  spend(1)
  const [x, y] = [numberOf(a), numberOf(b)]
  if (x !== null && y !== null) return x < y ? -1 : x > y ? 1 : 0
  if (typeof a === 'string' && typeof b === 'string') {
    const [left, right] = [visible(a), visible(b)]
    return left === right ? 0 : codePointsBefore(left, right) ? -1 : 1
  }
  if (Array.isArray(a) && Array.isArray(b)) {
    for (const [i, item] of a.entries()) {
      const other = b[i]
      if (other === undefined) return 1
      if (!equal(item, other)) return compare(item, other, operator)
    }
    return a.length - b.length
  }
  throw new TemplateError(
    `'${operator}' not supported between instances of '${typeName(a)}' and '${typeName(b)}'`,
  )
}

/** JavaScript orders UTF-16 code units, Python code points. */
function codePointsBefore(a: string, b: string): boolean {
  for (let i = 0; i < a.length && i < b.length; i++) {
    if (a[i] === b[i]) continue
    const isPair = (code: number) => code >= 0xd800 && code <= 0xdfff
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)]
    return isPair(x) === isPair(y) ? x < y : isPair(y)
  }
  return a.length < b.length
}

/** The items that a loop over the value goes through. */
export function itemsOf(value: Value): readonly Value[] {
  value = asObject(value)
  if (Array.isArray(value)) return value
  if (value instanceof Map) {
    spend(value.size)
    return [...value.keys()]
  }
  if (typeof value === 'string') {
    checkList(value.length)
    return Array.from(visible(value))
  }
  if (value instanceof Undefined) return []
  throw new TemplateError(`'${typeName(value)}' object is not iterable`)
}

/** Whether `item in container`. */
export function contains(container: Value, item: Value): boolean {
  container = asObject(container)
  if (typeof container === 'string') {
    const part = asGiven(item)
    if (typeof part !== 'string')
      throw new TemplateError(`'in <string>' requires string as left operand, not ${typeName(item)}`)
    return firstIn(visible(container), visible(part)) >= 0
  }
  if (container instanceof Map) return container.has(keyOf(item))
  if (Array.isArray(container)) return container.some((other) => equal(other, item))
  if (container instanceof Undefined) return false
  throw new TemplateError(`argument of type '${typeName(container)}' is not iterable`)
}

/** A value as the key of a dict. */
export function keyOf(value: Value): Value {
  if (typeof value === 'string') return visible(value)
  if (value instanceof Float && Number.isInteger(value.value)) return value.value
  if (typeof value === 'boolean') return value ? 1 : 0
  if (Array.isArray(value) || value instanceof Map)
    throw new TemplateError(`unhashable type: '${typeName(value)}'`)
  return asText(value)
}

interface NumberText {
  readonly isLosslessNumber: true
  readonly value: string
}
const isNumberText = (value: object): value is NumberText =>
  (value as Partial<NumberText>).isLosslessNumber === true

/** A number of a JSON text as Python reads it, but no digit is lost: 0.50 stays so. */
export function numberFromText(text: string): Value {
  if (/^-?\d+$/.test(text)) return int(BigInt(text))
  const value = Number(text)
  // An exponent is written as Python does, when that is the same number.
  const shortest = /e/i.test(text) && sameNumber(text, String(value))
  return new Float(value, shortest ? undefined : text)
}

/** Whether two decimal texts are the same number. */
function sameNumber(a: string, b: string): boolean {
  const parts = (text: string) => {
    const [, sign, whole = '', fraction = '', exponent = '0'] =
      /^(-?)(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?$/.exec(text) ?? []
    const digits = `${whole}${fraction}`.replace(/^0+/, '')
    const short = digits.replace(/0+$/, '')
    return short === ''
      ? '0'
      : `${sign ?? ''}${short}e${Number(exponent) - fraction.length + digits.length - short.length}`
  }
  return parts(a) === parts(b)
}

/** A value of JSON as a template sees it. */
export function fromJson(value: unknown): Value {
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'bigint':
      return value
    case 'number':
      return Number.isInteger(value)
        ? Number.isSafeInteger(value)
          ? value
          : BigInt(value)
        : new Float(value)
    case 'object':
      if (value === null || value instanceof CallArguments) return value
      if (Array.isArray(value)) return value.map(fromJson)
      if (isNumberText(value)) return numberFromText(value.value)
      return new Map(Object.entries(value).map(([key, item]) => [key, fromJson(item)]))
    default:
      return new Undefined('the value is undefined')
  }
}
