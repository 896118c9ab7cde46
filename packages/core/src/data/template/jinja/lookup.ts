import { dictMethods, listMethods, sliceIndices } from './collections.js'
import { intOf } from './arguments.js'
import { hasMarks, visible } from './marks.js'
import { lengthOf, sliceText, stringMethods } from './strings.js'
import {
  asGiven,
  asObject,
  asText,
  Attributes,
  Callable,
  CallArguments,
  isInt,
  keyOf,
  TemplateError,
  Tuple,
  typeName,
  Undefined,
  undefinedError,
  type Value,
} from './values.js'

const methodsOf = (object: Value, name: string): Callable | undefined => {
  if (typeof object === 'string') {
    const method = stringMethods.get(name)
    return method && new Callable(name, (args, keywords) => method(object, args, keywords))
  }
  if (object instanceof Map) {
    const method = dictMethods.get(name)
    return method && new Callable(name, (args, keywords) => method(object, args, keywords))
  }
  if (Array.isArray(object)) {
    const method = listMethods.get(name)
    return method && new Callable(name, (args) => method(object, args))
  }
  if (object instanceof CallArguments) return methodsOf(object.object, name) ?? methodsOf(object.text, name)
  return undefined
}

const missing = (object: Value, name: string) =>
  new Undefined(
    object === null
      ? `'None' has no attribute '${name}'`
      : `'${typeName(object)} object' has no attribute '${name}'`,
  )

/** An attribute alone: a method, a field of a namespace. */
export function attributeOf(object: Value, name: string): Value {
  if (object instanceof Undefined) throw undefinedError(object)
  const found = object instanceof Attributes ? object.get(name) : methodsOf(object, name)
  return found === undefined ? missing(object, name) : found
}

function containedIn(object: Value, key: Value): Value | undefined {
  if (object instanceof Undefined) throw undefinedError(object)
  const container = asObject(object)
  if (container instanceof Map)
    return Array.isArray(key) || key instanceof Map ? undefined : container.get(keyOf(key))
  if (!isInt(key)) return undefined
  if (Array.isArray(container)) return container.at(Number(key))
  if (typeof container !== 'string') return undefined
  const at = Number(key)
  const size = lengthOf(container)
  const index = at < 0 ? at + size : at
  return index < 0 || index >= size ? undefined : sliceText(container, index, index + 1)
}

/** `object.name`: a method, then an item, as Jinja2 looks. */
export function memberOf(object: Value, name: string): Value {
  if (object instanceof Undefined) throw undefinedError(object)
  if (object instanceof Attributes) return attributeOf(object, name)
  const method = methodsOf(object, name)
  if (method) return method
  const found = containedIn(object, name)
  return found === undefined ? missing(object, name) : found
}

/** `object[key]`: an item, then an attribute. */
export function itemOf(object: Value, key: Value): Value {
  const found = containedIn(object, key)
  if (found !== undefined) return found
  const name = asText(key)
  if (typeof name === 'string') return attributeOf(object, hasMarks(name) ? visible(name) : name)
  return missing(object, typeof key === 'number' ? String(key) : typeName(key))
}

/** `object[start:stop:step]`. */
export function sliceOf(value: Value, start?: Value, stop?: Value, step?: Value): Value {
  const object = asGiven(value)
  if (object instanceof Undefined) throw undefinedError(object)
  if (typeof object === 'string') {
    const indices = sliceIndices(lengthOf(object), start, stop, step)
    if (indices.length === 0) return ''
    if (intOf('slice', step, 1) === 1) return sliceText(object, indices[0]!, indices.at(-1)! + 1)
    const characters = Array.from(visible(object))
    return indices.map((i) => characters[i]!).join('')
  }
  if (!Array.isArray(object)) throw new TemplateError(`'${typeName(object)}' object is not subscriptable`)
  const items = sliceIndices(object.length, start, stop, step).map((i) => object[i]!)
  return object instanceof Tuple ? Tuple.with(...items) : items
}
