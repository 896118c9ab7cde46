import { bind, intOf, textOf } from './arguments.js'
import { pairsOf } from './collections.js'
import { fixed, formatPercent } from './format.js'
import { dumps } from './json.js'
import { attributeOf, itemOf } from './lookup.js'
import { changeVisible, visible } from './marks.js'
import { operators } from './operators.js'
import { capitalized, lengthOf, replaced, strip } from './strings.js'
import { testOf } from './tests.js'
import {
  asGiven,
  asObject,
  asText,
  compare,
  defined,
  equal,
  Float,
  int,
  isInt,
  itemsOf,
  numberOf,
  str,
  TemplateError,
  truth,
  Tuple,
  typeName,
  Undefined,
  type Keywords,
  type Value,
} from './values.js'

// Jinja2's filters (https://jinja.palletsprojects.com/en/stable/templates/#builtin-filters), with `tojson` as chat templates
// have it. Filters of texts take any value: they make a text of it first.

export type Filter = (value: Value, args: readonly Value[], keywords: Keywords) => Value

const isTrue = (value: Value | undefined, other: boolean) => (value === undefined ? other : truth(value))

/** Sorting and comparing without regard to case, unless asked. */
const folded = (value: Value): Value => (typeof value === 'string' ? visible(value).toLowerCase() : value)

const sorted = (items: readonly Value[], key: (item: Value) => Value, reverse: boolean): Value[] => {
  const keyed = items.map((item) => [key(item), item] as const)
  keyed.sort(([a], [b]) => (reverse ? compare(b, a) : compare(a, b)))
  return keyed.map(([, item]) => item)
}

/** The value at a path such as "function.name", or at several of them with commas between. */
function getter(path: Value | undefined): (item: Value) => Value {
  if (path === undefined || path === null) return (item) => item
  if (isInt(path)) return (item) => itemOf(item, path)
  const paths = textOf('attribute', path).split(',')
  const one = (names: string) => (item: Value) =>
    names
      .split('.')
      .reduce<Value>((found, name) => itemOf(found, /^\d+$/.test(name) ? Number(name) : name), item)
  if (paths.length === 1) return one(paths[0]!)
  return (item) => paths.map((names) => one(names)(item))
}

/** What map, select and their like go through: nothing where Jinja2 does not look at the value, None included. */
const sequenceOf = (value: Value): readonly Value[] => (truth(value) ? itemsOf(value) : [])

const selecting = (name: string, wanted: boolean, byAttribute: boolean): Filter => {
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

const text =
  (change: (text: string, args: readonly Value[], keywords: Keywords) => string): Filter =>
  (value, args, keywords) =>
    change(str(asText(value)), args, keywords)

const extreme =
  (wanted: 1 | -1): Filter =>
  (value, args, keywords) => {
    const { case_sensitive, attribute: path } = bind('max', ['case_sensitive', 'attribute'], args, keywords)
    const get = getter(path)
    const key = (item: Value) => (isTrue(case_sensitive, false) ? get(item) : folded(get(item)))
    const items = itemsOf(value)
    if (items.length === 0) return new Undefined('No aggregated item, sequence was empty.')
    return items.reduce((best, item) => (compare(key(item), key(best)) * wanted > 0 ? item : best))
  }

const items: Filter = (value) => {
  if (value instanceof Undefined) return []
  const object = asObject(value)
  if (object instanceof Map) return pairsOf(object)
  throw new TemplateError('Can only get item pairs from a mapping.')
}

const length: Filter = (value) => {
  const object = asObject(value)
  if (typeof object === 'string') return lengthOf(object)
  if (Array.isArray(object)) return object.length
  if (object instanceof Map) return object.size
  if (object instanceof Undefined) return 0
  throw new TemplateError(`object of type '${typeName(value)}' has no len()`)
}

const otherwise: Filter = (value, args, keywords) => {
  const { default_value = '', boolean } = bind('default', ['default_value', 'boolean'], args, keywords)
  return value instanceof Undefined || (isTrue(boolean, false) && !truth(value)) ? default_value : value
}

const toInt: Filter = (value, args, keywords) => {
  const { default: other = 0, base } = bind('int', ['default', 'base'], args, keywords)
  if (typeof value === 'string') {
    const digits = strip(visible(value), null, true, true).replaceAll('_', '')
    const radix = intOf('base', base, 10)
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

const toFloat: Filter = (value, args, keywords) => {
  const { default: other = new Float(0) } = bind('float', ['default'], args, keywords)
  const number = typeof value === 'string' && value.trim() !== '' ? Number(visible(value)) : numberOf(value)
  return number === null || Number.isNaN(Number(number)) ? other : new Float(Number(number))
}

const tojson: Filter = (value, args, keywords) => {
  if (value instanceof Undefined) throw new TemplateError('Object of type Undefined is not JSON serializable')
  const { ensure_ascii, indent, separators, sort_keys } = bind(
    'tojson',
    ['ensure_ascii', 'indent', 'separators', 'sort_keys'],
    args,
    keywords,
  )
  const parts = separators === undefined || separators === null ? null : itemsOf(separators)
  return dumps(value, {
    ensureAscii: isTrue(ensure_ascii, false),
    sortKeys: isTrue(sort_keys, false),
    indent:
      indent === undefined || indent === null
        ? null
        : typeof indent === 'string'
          ? indent
          : ' '.repeat(Math.max(0, intOf('indent', indent, 0))),
    ...(parts && { separators: [textOf('separators', parts[0]), textOf('separators', parts[1])] as const }),
  })
}

const indent: Filter = (value, args, keywords) => {
  const { width, first, blank } = bind('indent', ['width', 'first', 'blank'], args, keywords)
  const by = typeof width === 'string' ? width : ' '.repeat(intOf('width', width, 4))
  const lines = str(asText(value)).split('\n')
  return lines
    .map((line, i) => {
      const skipped = i === 0 ? !isTrue(first, false) : !isTrue(blank, false) && visible(line) === ''
      return skipped ? line : by + line
    })
    .join('\n')
}

const join: Filter = (value, args, keywords) => {
  const { d = '', attribute: path } = bind('join', ['d', 'attribute'], args, keywords)
  const get = getter(path)
  const source = typeof value === 'string' ? value : asGiven(value)
  return itemsOf(source)
    .map((item) => str(get(item)))
    .join(str(d))
}

const sort: Filter = (value, args, keywords) => {
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

const dictsort: Filter = (value, args, keywords) => {
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

const unique: Filter = (value, args, keywords) => {
  const { case_sensitive, attribute: path } = bind('unique', ['case_sensitive', 'attribute'], args, keywords)
  const get = getter(path)
  const seen: Value[] = []
  return itemsOf(value).filter((item) => {
    const key = isTrue(case_sensitive, false) ? get(item) : folded(get(item))
    if (seen.some((other) => equal(other, key))) return false
    seen.push(key)
    return true
  })
}

const groupby: Filter = (value, args, keywords) => {
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

const map =
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
    return sequenceOf(value).map((item) => filter(item, rest, keywords))
  }

const batches: Filter = (value, args, keywords) => {
  const { linecount, fill_with } = bind('batch', ['linecount', 'fill_with'], args, keywords)
  const size = intOf('batch', linecount, 1)
  const list = itemsOf(value)
  const groups: Value[][] = []
  for (let at = 0; at < list.length; at += size) groups.push(list.slice(at, at + size))
  const last = groups.at(-1)
  if (last && fill_with !== undefined && fill_with !== null) while (last.length < size) last.push(fill_with)
  return groups
}

const slices: Filter = (value, args, keywords) => {
  const { slices: count, fill_with } = bind('slice', ['slices', 'fill_with'], args, keywords)
  const list = itemsOf(value)
  const n = intOf('slice', count, 1)
  const [each, extra] = [Math.floor(list.length / n), list.length % n]
  return Array.from({ length: n }, (_, i) => {
    const start = i * each + Math.min(i, extra)
    const part = list.slice(start, start + each + (i < extra ? 1 : 0))
    return fill_with !== undefined && fill_with !== null && i >= extra && extra > 0
      ? [...part, fill_with]
      : part
  })
}

/** Half to even, as Python rounds. */
function rounded(value: number): number {
  const low = Math.floor(value)
  const rest = value - low
  return rest < 0.5 ? low : rest > 0.5 ? low + 1 : low % 2 === 0 ? low : low + 1
}

const round: Filter = (value, args, keywords) => {
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

const sum: Filter = (value, args, keywords) => {
  const { attribute: path, start = 0 } = bind('sum', ['attribute', 'start'], args, keywords)
  return itemsOf(value).map(getter(path)).reduce(operators.get('+')!, start)
}

const truncate: Filter = (value, args, keywords) => {
  const names = ['length', 'killwords', 'end', 'leeway'] as const
  const { length: size, killwords, end = '...', leeway } = bind('truncate', names, args, keywords)
  const whole = Array.from(visible(str(asText(value))))
  const [most, tail] = [intOf('truncate', size, 255), visible(textOf('truncate', end))]
  if (whole.length <= most + intOf('truncate', leeway, 5)) return str(asText(value))
  const kept = whole.slice(0, Math.max(0, most - Array.from(tail).length)).join('')
  if (isTrue(killwords, false)) return kept + tail
  const at = kept.lastIndexOf(' ')
  return (at < 0 ? kept : kept.slice(0, at)) + tail
}

const escape = (value: string): string =>
  value
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll("'", '&#39;')
    .replaceAll('"', '&#34;')

const absolute: Filter = (value) => {
  const number = numberOf(defined(value))
  if (number === null) throw new TemplateError(`bad operand type for abs(): '${typeName(value)}'`)
  if (value instanceof Float) return new Float(Math.abs(value.value))
  return typeof number === 'bigint' ? int(number < 0n ? -number : number) : Math.abs(number)
}

/** `title`: every word behind white space, a hyphen or a bracket. */
const title = (value: string): string =>
  value
    .split(/([-\s({[<]+)/u)
    .map((part) => capitalized(part))
    .join('')

const reverse: Filter = (value) => {
  if (typeof value === 'string') return changeVisible(value, (seen) => Array.from(seen).reverse().join(''))
  return [...itemsOf(value)].reverse()
}

const firstOf = ([item]: readonly Value[], missing: string): Value =>
  item === undefined ? new Undefined(missing) : item

const known: Record<string, Filter> = {
  abs: absolute,
  attr: (value, [name = null]) => attributeOf(value, visible(textOf('attr', name))),
  batch: batches,
  bool: (value) => truth(value),
  capitalize: text(capitalized),
  center: text((seen, [width]) => {
    const missing = Math.max(0, intOf('center', width, 80) - lengthOf(seen))
    return ' '.repeat(Math.floor(missing / 2)) + seen + ' '.repeat(Math.ceil(missing / 2))
  }),
  count: length,
  d: otherwise,
  default: otherwise,
  dictsort,
  e: text(escape),
  escape: text(escape),
  first: (value) => firstOf(itemsOf(asGiven(value)), 'No first item, sequence was empty.'),
  float: toFloat,
  format: (value, args, keywords) =>
    formatPercent(textOf('format', value), keywords.size > 0 ? new Map(keywords) : Tuple.with(...args)),
  groupby,
  indent,
  int: toInt,
  items,
  join,
  last: (value) => firstOf(itemsOf(asGiven(value)).slice(-1), 'No last item, sequence was empty.'),
  length,
  list: (value) => [...itemsOf(value)],
  lower: text((seen) => seen.toLowerCase()),
  map: (value, args, keywords) => map(filterOf)(value, args, keywords),
  max: extreme(1),
  min: extreme(-1),
  reject: selecting('reject', false, false),
  rejectattr: selecting('rejectattr', false, true),
  replace: text((seen, args, keywords) => {
    const { old, new: by, count } = bind('replace', ['old', 'new', 'count'], args, keywords)
    return replaced(seen, str(old ?? null), str(by ?? null), intOf('replace', count, -1))
  }),
  reverse,
  round,
  safe: (value) => value,
  select: selecting('select', true, false),
  selectattr: selecting('selectattr', true, true),
  slice: slices,
  sort,
  string: (value) => str(value),
  sum,
  title: text(title),
  tojson,
  trim: text((seen, [chars = null]) =>
    strip(seen, chars === null ? null : textOf('trim', chars), true, true),
  ),
  truncate,
  unique,
  upper: text((seen) => seen.toUpperCase()),
  urlencode: text((seen) => encodeURIComponent(visible(seen)).replaceAll('%2F', '/')),
  wordcount: (value) => (visible(str(asText(value))).match(/[\p{L}\p{N}_]+/gu) ?? []).length,
}

const filters: ReadonlyMap<string, Filter> = new Map(Object.entries(known))

export function filterOf(name: string): Filter {
  const filter = filters.get(name)
  if (!filter) throw new TemplateError(`No filter named '${name}'.`)
  return filter
}
