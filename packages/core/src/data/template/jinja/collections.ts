import { bind, intOf } from './arguments.js'
import { checkList } from './budget.js'
import {
  contains,
  equal,
  keyOf,
  TemplateError,
  Tuple,
  type Dict,
  type Keywords,
  type Value,
} from './values.js'

// Methods of dict and list. Templates may not change what they were given, so those that change it are refused, as
// transformers' sandbox does.

const refused = (name: string) => (): Value => {
  throw new TemplateError(`access to attribute '${name}' is unsafe: it changes the object`)
}

export const pairsOf = (dict: Dict): Value[] => [...dict].map(([key, value]) => Tuple.with(key, value))

export const dictMethods: ReadonlyMap<
  string,
  (dict: Dict, args: readonly Value[], keywords: Keywords) => Value
> = new Map(
  Object.entries({
    get: (dict: Dict, args: readonly Value[], keywords: Keywords): Value => {
      const { key, default: other } = bind('get', ['key', 'default'], args, keywords)
      const found = dict.get(keyOf(key ?? null))
      return found === undefined ? (other ?? null) : found
    },
    items: (dict: Dict): Value => pairsOf(dict),
    keys: (dict: Dict): Value => [...dict.keys()],
    values: (dict: Dict): Value => [...dict.values()],
    copy: (dict: Dict): Value => new Map(dict),
    clear: refused('clear'),
    pop: refused('pop'),
    popitem: refused('popitem'),
    setdefault: refused('setdefault'),
    update: refused('update'),
  }),
)

export const listMethods: ReadonlyMap<string, (list: Value[], args: readonly Value[]) => Value> = new Map(
  Object.entries({
    copy: (list: Value[]): Value => [...list],
    count: (list: Value[], [item = null]: readonly Value[]): Value =>
      list.filter((other) => equal(other, item)).length,
    index: (list: Value[], [item = null]: readonly Value[]): Value => {
      if (!contains(list, item)) throw new TemplateError('the item is not in list')
      return list.findIndex((other) => equal(other, item))
    },
    append: refused('append'),
    clear: refused('clear'),
    extend: refused('extend'),
    insert: refused('insert'),
    pop: refused('pop'),
    remove: refused('remove'),
    reverse: refused('reverse'),
    sort: refused('sort'),
  }),
)

const most = 100_000

/** Python's `range`, of so many numbers at most as Jinja2's sandbox allows. */
export function range(args: readonly Value[]): Value[] {
  const numbers = args.map((value) => intOf('range', value, 0))
  const [start, stop] = numbers.length > 1 ? [numbers[0]!, numbers[1]!] : [0, numbers[0] ?? 0]
  const step = numbers[2] ?? 1
  if (step === 0) throw new TemplateError('range() arg 3 must not be zero')
  const count = Math.max(0, Math.ceil((stop - start) / step))
  if (count > most) throw new TemplateError(`Range too big. The sandbox blocks ranges larger than ${most}.`)
  checkList(count)
  return Array.from({ length: count }, (_, i) => start + i * step)
}

/** Indices of `[start:stop:step]` of a sequence. */
export function sliceIndices(
  length: number,
  start: Value | undefined,
  stop: Value | undefined,
  step: Value | undefined,
): number[] {
  const by = intOf('slice', step, 1)
  if (by === 0) throw new TemplateError('slice step cannot be zero')
  const [low, high] = by > 0 ? [0, length] : [-1, length - 1]
  const bound = (value: Value | undefined, other: number) => {
    if (value === undefined || value === null) return other
    const at = intOf('slice', value, 0)
    return Math.max(low, Math.min(high, at < 0 ? at + length : at))
  }
  const [from, to] = [bound(start, by > 0 ? low : high), bound(stop, by > 0 ? high : low)]
  const indices: number[] = []
  for (let i = from; by > 0 ? i < to : i > to; i += by) indices.push(i)
  return indices
}
