import { textOf } from '../arguments.js'
import { spend } from '../budget.js'
import { itemOf } from '../lookup.js'
import { visible } from '../marks.js'
import { isInt, truth, type Keywords, type Value } from '../values.js'

export type Filter = (value: Value, args: readonly Value[], keywords: Keywords) => Value

export const isTrue = (value: Value | undefined, other: boolean) =>
  value === undefined ? other : truth(value)

/** Sorting and comparing without regard to case, unless asked. */
export const folded = (value: Value): Value =>
  typeof value === 'string' ? visible(value).toLowerCase() : value

/** The value at a path such as "function.name", or at several of them with commas between. */
export function getter(path: Value | undefined): (item: Value) => Value {
  if (path === undefined || path === null) return (item) => item
  if (isInt(path)) return (item) => itemOf(item, path)
  const paths = textOf('attribute', path).split(',')
  const one = (path: string) => {
    const names = path.split('.')
    return (item: Value) => {
      spend(names.length)
      return names.reduce<Value>(
        (found, name) => itemOf(found, /^\d+$/.test(name) ? Number(name) : name),
        item,
      )
    }
  }
  if (paths.length === 1) return one(paths[0]!)
  const each = paths.map(one)
  return (item) => each.map((get) => get(item))
}
