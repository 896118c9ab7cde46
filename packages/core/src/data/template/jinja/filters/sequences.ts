import { bind, intOf, textOf } from '../arguments.js'
import { checkList, counted, spend } from '../budget.js'
import { pairsOf } from '../collections.js'
import { changeVisible, visible } from '../marks.js'
import { lengthOf } from '../strings.js'
import { testOf } from '../tests.js'
import {
  asObject,
  compare,
  equal,
  itemsOf,
  TemplateError,
  truth,
  Tuple,
  Undefined,
  type Value,
  typeName,
} from '../values.js'
import { isTrue, folded, getter, type Filter } from './shared.js'

// Filters of lists, mappings and their items.

const sorted = (items: readonly Value[], key: (item: Value) => Value, reverse: boolean): Value[] => {
  const keyed = items.map((item) => [key(item), item] as const)
  keyed.sort(([a], [b]) => (reverse ? compare(b, a) : compare(a, b)))
  return keyed.map(([, item]) => item)
}

/** Items for map, select and similar filters; none for a false value or None, which Jinja2 does not read. */
const sequenceOf = (value: Value): readonly Value[] => (truth(value) ? itemsOf(value) : [])

export const selecting = (name: string, wanted: boolean, byAttribute: boolean): Filter => {
  return (value, args) => {
    const [path, rest] = byAttribute ? [args[0], args.slice(1)] : [undefined, args]
    if (byAttribute && path === undefined) throw new TemplateError(`${name}: the attribute is missing`)
    const get = getter(path)
    const [test, ...others] = rest
    const holds =
      test === undefined
        ? (item: Value) => truth(item)
        : (item: Value) => testOf(visible(textOf(name, test)))(item, others)
    return sequenceOf(value).filter((item) => holds(get(item)) === wanted)
  }
}

export const extreme =
  (wanted: 1 | -1): Filter =>
  (value, args, keywords) => {
    const { case_sensitive, attribute: path } = bind('max', ['case_sensitive', 'attribute'], args, keywords)
    const get = getter(path)
    const key = (item: Value) => (isTrue(case_sensitive, false) ? get(item) : folded(get(item)))
    const items = itemsOf(value)
    if (items.length === 0) return new Undefined('No aggregated item, sequence was empty.')
    return items.reduce((best, item) => (compare(key(item), key(best)) * wanted > 0 ? item : best))
  }

export const items: Filter = (value) => {
  if (value instanceof Undefined) return []
  const object = asObject(value)
  if (object instanceof Map) return pairsOf(object)
  throw new TemplateError('Can only get item pairs from a mapping.')
}

export const length: Filter = (value) => {
  const object = asObject(value)
  if (typeof object === 'string') return lengthOf(object)
  if (Array.isArray(object)) return object.length
  if (object instanceof Map) return object.size
  if (object instanceof Undefined) return 0
  throw new TemplateError(`object of type '${typeName(value)}' has no len()`)
}

export const sort: Filter = (value, args, keywords) => {
  const names = ['reverse', 'case_sensitive', 'attribute'] as const
  const { reverse, case_sensitive, attribute: path } = bind('sort', names, args, keywords)
  const get = getter(path)
  const key = (item: Value): Value => {
    const found = get(item)
    if (isTrue(case_sensitive, false)) return found
    return Array.isArray(found) ? found.map(folded) : folded(found)
  }
  return sorted(itemsOf(value), key, isTrue(reverse, false))
}

export const dictsort: Filter = (value, args, keywords) => {
  const names = ['case_sensitive', 'by', 'reverse'] as const
  const { case_sensitive, by = 'key', reverse } = bind('dictsort', names, args, keywords)
  const object = asObject(value)
  if (!(object instanceof Map))
    throw new TemplateError(`'${typeName(value)}' object has no attribute 'items'`)
  const at = by === 'value' ? 1 : 0
  return sorted(
    pairsOf(object),
    (pair) => {
      const found = itemsOf(pair)[at]!
      return isTrue(case_sensitive, false) ? found : folded(found)
    },
    isTrue(reverse, false),
  )
}

export const unique: Filter = (value, args, keywords) => {
  const { case_sensitive, attribute: path } = bind('unique', ['case_sensitive', 'attribute'], args, keywords)
  const get = getter(path)
  const seen: Value[] = []
  return itemsOf(value).filter((item) => {
    const key = isTrue(case_sensitive, false) ? get(item) : folded(get(item))
    spend(seen.length)
    if (seen.some((other) => equal(other, key))) return false
    seen.push(key)
    return true
  })
}

export const groupby: Filter = (value, args, keywords) => {
  const names = ['attribute', 'default', 'case_sensitive'] as const
  const { attribute: path, default: other, case_sensitive } = bind('groupby', names, args, keywords)
  const found = getter(path)
  const get = (item: Value): Value => {
    const key = found(item)
    return key instanceof Undefined && other !== undefined ? other : key
  }
  const key = (item: Value) => (isTrue(case_sensitive, false) ? get(item) : folded(get(item)))
  const groups: [Value, Value[]][] = []
  for (const item of sorted(itemsOf(value), key, false)) {
    const last = groups.at(-1)
    if (last && equal(key(last[1][0]!), key(item))) last[1].push(item)
    else groups.push([get(item), [item]])
  }
  return groups.map(([name, members]) => Tuple.with(name, members))
}

export const map =
  (filterOf: (name: string) => Filter): Filter =>
  (value, args, keywords) => {
    if (keywords.has('attribute')) {
      const get = getter(keywords.get('attribute'))
      const other = keywords.get('default')
      return sequenceOf(value).map((item) => {
        const found = get(item)
        return found instanceof Undefined && other !== undefined ? other : found
      })
    }
    const [name, ...rest] = args
    const filter = filterOf(visible(textOf('map', name)))
    return sequenceOf(value).map((item) => counted(filter(item, rest, keywords)))
  }

export const batches: Filter = (value, args, keywords) => {
  const { linecount, fill_with } = bind('batch', ['linecount', 'fill_with'], args, keywords)
  const size = intOf('batch', linecount, 1)
  const list = itemsOf(value)
  const groups: Value[][] = []
  // Jinja2 closes a group that has exactly this size before the next item: with 0 the empty first one, below 0 none.
  if (size < 1) return list.length === 0 ? [] : size === 0 ? [[], [...list]] : [[...list]]
  if (fill_with !== undefined && fill_with !== null) checkList(size)
  for (let at = 0; at < list.length; at += size) groups.push(list.slice(at, at + size))
  const last = groups.at(-1)
  if (last && fill_with !== undefined && fill_with !== null) while (last.length < size) last.push(fill_with)
  return groups
}

export const slices: Filter = (value, args, keywords) => {
  const { slices: count, fill_with } = bind('slice', ['slices', 'fill_with'], args, keywords)
  const list = itemsOf(value)
  const n = intOf('slice', count, 1)
  if (n === 0) throw new TemplateError('integer division or modulo by zero')
  checkList(n)
  const [each, extra] = [Math.floor(list.length / n), list.length % n]
  return Array.from({ length: Math.max(0, n) }, (_, i) => {
    const start = i * each + Math.min(i, extra)
    const part = list.slice(start, start + each + (i < extra ? 1 : 0))
    return fill_with !== undefined && fill_with !== null && i >= extra && extra > 0
      ? [...part, fill_with]
      : part
  })
}

export const reverse: Filter = (value) => {
  if (typeof value === 'string') return changeVisible(value, (seen) => Array.from(seen).reverse().join(''))
  return [...itemsOf(value)].reverse()
}

export const firstOf = ([item]: readonly Value[], missing: string): Value =>
  item === undefined ? new Undefined(missing) : item
