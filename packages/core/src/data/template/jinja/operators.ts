import { checkList, checkText, limits, repeatText, TemplateLimit } from './budget.js'
import { formatPercent } from './format.js'
import {
  CallArguments,
  compare,
  contains,
  defined,
  equal,
  Float,
  int,
  isInt,
  numberOf,
  str,
  TemplateError,
  Tuple,
  typeName,
  undefinedError,
  Undefined,
  type Value,
} from './values.js'

function refused(operator: string, a: Value, b: Value): TemplateError {
  if (operator === '+') {
    const [left, right] = [typeName(a), typeName(b)]
    if (left === 'str' || left === 'list' || left === 'tuple')
      return new TemplateError(`can only concatenate ${left} (not "${right}") to ${left}`)
  }
  return new TemplateError(
    `unsupported operand type(s) for ${operator}: '${typeName(a)}' and '${typeName(b)}'`,
  )
}

/** More bits than this have more digits than a number may. */
const longestInt = Math.ceil(limits.digits * Math.log2(10))
const bitsOf = (value: bigint) => (value < 0n ? -value : value).toString(2).length

function checkInt(bits: number): void {
  if (bits > longestInt)
    throw new TemplateLimit(`it computes a number of more than ${limits.digits} digits, and was stopped`)
}

/** Arithmetic on ints, exact. */
function ints(operator: string, a: number | bigint, b: number | bigint): Value {
  if (typeof a === 'number' && typeof b === 'number') {
    const quick = operator === '+' ? a + b : operator === '-' ? a - b : operator === '*' ? a * b : NaN
    if (Number.isSafeInteger(quick)) return quick
  }
  const [x, y] = [BigInt(a), BigInt(b)]
  if (operator === '*') checkInt(bitsOf(x) + bitsOf(y) - 2)
  else checkInt(Math.max(bitsOf(x), bitsOf(y)))
  switch (operator) {
    case '+':
      return int(x + y)
    case '-':
      return int(x - y)
    case '*':
      return int(x * y)
    case '/':
      if (y === 0n) throw new TemplateError('division by zero')
      return new Float(Number(a) / Number(b))
    case '//':
    case '%': {
      if (y === 0n) throw new TemplateError('integer modulo by zero')
      const rest = x % y
      const shift = rest !== 0n && rest < 0n !== y < 0n
      return int(operator === '%' ? (shift ? rest + y : rest) : x / y - (shift ? 1n : 0n))
    }
    default:
      if (y < 0n) return new Float(Number(a) ** Number(b))
      // Powers of 0, 1 and -1 have no size.
      if (x > 1n || x < -1n) checkInt((bitsOf(x) - 1) * Number(y))
      return int(x ** (x > 1n || x < -1n || y < 2n ? y : 2n - (y % 2n)))
  }
}

function floats(operator: string, a: number, b: number): Value {
  if (b === 0 && ['/', '//', '%'].includes(operator)) throw new TemplateError('float division by zero')
  switch (operator) {
    case '+':
      return new Float(a + b)
    case '-':
      return new Float(a - b)
    case '*':
      return new Float(a * b)
    case '/':
      return new Float(a / b)
    case '//':
      return new Float(Math.floor(a / b))
    case '%':
      return new Float(a - b * Math.floor(a / b))
    default:
      return new Float(a ** b)
  }
}

function repeated(value: Value, times: number): Value {
  const count = Math.max(0, times)
  if (typeof value === 'string') return repeatText(value, count)
  const list = value as Value[]
  if (list.length === 0) return []
  checkList(list.length * count)
  return Array.from({ length: count }, () => list).flat()
}

function joined(a: string, b: string): string {
  checkText(a.length + b.length)
  return a + b
}

function arithmetic(operator: string, a: Value, b: Value): Value {
  if (a instanceof Undefined) throw undefinedError(a)
  if (b instanceof Undefined) throw undefinedError(b)
  if (operator === '+') {
    // A text is wanted where one is joined to arguments that came as an object.
    if (typeof a === 'string' && (typeof b === 'string' || b instanceof CallArguments))
      return joined(a, typeof b === 'string' ? b : b.text)
    if (a instanceof CallArguments && (typeof b === 'string' || b instanceof CallArguments))
      return joined(a.text, typeof b === 'string' ? b : b.text)
    if (Array.isArray(a) && Array.isArray(b) && a instanceof Tuple === b instanceof Tuple) {
      checkList(a.length + b.length)
      return a instanceof Tuple ? Tuple.with(...a, ...b) : [...a, ...b]
    }
  }
  if (operator === '%' && typeof a === 'string') return formatPercent(a, b)
  const [x, y] = [numberOf(a), numberOf(b)]
  if (operator === '*') {
    if ((typeof a === 'string' || Array.isArray(a)) && y !== null && !(b instanceof Float))
      return repeated(a, Number(y))
    if ((typeof b === 'string' || Array.isArray(b)) && x !== null && !(a instanceof Float))
      return repeated(b, Number(x))
  }
  if (x === null || y === null) throw refused(operator === '**' ? '** or pow()' : operator, a, b)
  return a instanceof Float || b instanceof Float
    ? floats(operator, Number(x), Number(y))
    : ints(operator, x, y)
}

export type Operator = (a: Value, b: Value) => Value

const comparing = (operator: string, holds: (order: number) => boolean): Operator => {
  return (a, b) => {
    const [x, y] = [numberOf(a), numberOf(b)]
    if ((typeof x === 'number' && Number.isNaN(x)) || (typeof y === 'number' && Number.isNaN(y))) return false
    return holds(compare(a, b, operator))
  }
}

/** Every operator that evaluates both its sides. */
export const operators: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ...['+', '-', '*', '/', '//', '%', '**'].map((operator): [string, Operator] => [
    operator,
    (a, b) => arithmetic(operator, a, b),
  ]),
  ['~', (a, b) => joined(str(a), str(b))],
  ['==', (a, b) => equal(a, b)],
  ['!=', (a, b) => !equal(a, b)],
  ['<', comparing('<', (order) => order < 0)],
  ['<=', comparing('<=', (order) => order <= 0)],
  ['>', comparing('>', (order) => order > 0)],
  ['>=', comparing('>=', (order) => order >= 0)],
  ['in', (a, b) => contains(b, a)],
  ['not in', (a, b) => !contains(b, a)],
])

export function negative(value: Value): Value {
  const known = defined(value)
  if (known instanceof Float) return new Float(-known.value)
  if (typeof known === 'boolean') return known ? -1 : 0
  if (isInt(known)) return typeof known === 'number' ? 0 - known : int(-known)
  throw new TemplateError(`bad operand type for unary -: '${typeName(value)}'`)
}
