import { visible } from './marks.js'
import {
  asGiven,
  asText,
  CallArguments,
  Callable,
  compare,
  contains,
  equal,
  Float,
  isInt,
  numberOf,
  str,
  TemplateError,
  typeName,
  Undefined,
  type Value,
} from './values.js'

export type Test = (value: Value, args: readonly Value[]) => boolean

function whole(name: string, value: Value): bigint {
  if (typeof value === 'boolean') return value ? 1n : 0n
  if (isInt(value)) return BigInt(value)
  throw new TemplateError(`is ${name}: expected int, not ${typeName(value)}`)
}

const isMapping = (value: Value) =>
  value instanceof Map || (value instanceof CallArguments && value.object instanceof Map)

const cased = (upper: boolean): Test => {
  return (value) => {
    const text = visible(str(value))
    return /\p{L}/u.test(text) && text === (upper ? text.toUpperCase() : text.toLowerCase())
  }
}

const isSame = (value: Value, other: Value) =>
  typeof value === typeof other && (value === other || (typeof value === 'string' && equal(value, other)))

/**
 * Jinja2's tests. Arguments of a call that were given as a text are a string, for templates that ask, and a mapping too: what
 * such a branch does with an object works.
 */
export const tests: ReadonlyMap<string, Test> = new Map<string, Test>(
  Object.entries({
    boolean: (value) => typeof value === 'boolean',
    callable: (value) => value instanceof Callable,
    defined: (value) => !(value instanceof Undefined),
    divisibleby: (value, [by = null]) => whole('divisibleby', value) % whole('divisibleby', by) === 0n,
    escaped: () => false,
    even: (value) => whole('even', value) % 2n === 0n,
    odd: (value) => whole('odd', value) % 2n !== 0n,
    false: (value) => value === false,
    true: (value) => value === true,
    float: (value) => value instanceof Float,
    integer: (value) => isInt(value),
    // A bool is a number in Python.
    number: (value) => numberOf(value) !== null,
    in: (value, [container = null]) => contains(container, value),
    iterable: (value) =>
      typeof value === 'string' ||
      Array.isArray(value) ||
      value instanceof Map ||
      value instanceof Undefined ||
      value instanceof CallArguments,
    sequence: (value) =>
      typeof value === 'string' ||
      Array.isArray(value) ||
      value instanceof Map ||
      value instanceof Undefined ||
      value instanceof CallArguments,
    mapping: isMapping,
    none: (value) => value === null,
    string: (value) => typeof asGiven(value) === 'string',
    undefined: (value) => value instanceof Undefined,
    lower: cased(false),
    upper: cased(true),
    sameas: (value, [other = null]) => isSame(asText(value), asText(other)),
    eq: (value, [other = null]) => equal(value, other),
    equalto: (value, [other = null]) => equal(value, other),
    ne: (value, [other = null]) => !equal(value, other),
    lt: (value, [other = null]) => compare(value, other, '<') < 0,
    lessthan: (value, [other = null]) => compare(value, other, '<') < 0,
    le: (value, [other = null]) => compare(value, other, '<=') <= 0,
    gt: (value, [other = null]) => compare(value, other, '>') > 0,
    greaterthan: (value, [other = null]) => compare(value, other, '>') > 0,
    ge: (value, [other = null]) => compare(value, other, '>=') >= 0,
  } satisfies Record<string, Test>),
)

export function testOf(name: string): Test {
  const test = tests.get(name)
  if (!test) throw new TemplateError(`No test named '${name}'.`)
  return test
}
