import { asText, isInt, TemplateError, typeName, type Keywords, type Value } from './values.js'

/** Names of a function's parameters with the values of one call; null for those that were not given. */
export function bind<N extends string>(
  name: string,
  names: readonly N[],
  args: readonly Value[],
  keywords: Keywords,
): Partial<Record<N, Value>> {
  if (args.length > names.length)
    throw new TemplateError(`${name}() takes at most ${names.length} arguments (${args.length} given)`)
  const bound: Partial<Record<N, Value>> = {}
  for (const [i, value] of args.entries()) bound[names[i]!] = value
  for (const [key, value] of keywords) {
    if (!names.includes(key as N))
      throw new TemplateError(`${name}() got an unexpected keyword argument '${key}'`)
    if (key in bound) throw new TemplateError(`${name}() got multiple values for argument '${key}'`)
    bound[key as N] = value
  }
  return bound
}

/** A text that an argument must be. */
export function textOf(name: string, value: Value | undefined): string {
  const text = value === undefined ? undefined : asText(value)
  if (typeof text === 'string') return text
  throw new TemplateError(`${name}: expected str, not ${value === undefined ? 'nothing' : typeName(value)}`)
}

/** A whole number that an argument must be, or `other` for one that was not given or is None. */
export function intOf(name: string, value: Value | undefined, other: number): number {
  if (value === undefined || value === null) return other
  if (typeof value === 'boolean') return value ? 1 : 0
  if (isInt(value)) return Number(value)
  throw new TemplateError(`${name}: expected int, not ${typeName(value)}`)
}
