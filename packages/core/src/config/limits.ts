import { IftError } from '@ift/tensor'

/** What a config may be. Nobody writes more by hand, and what reads it afterwards goes through all of it several times. */
export const configLimits = {
  /** Bytes of a file. */
  bytes: 1 << 20,
  /** References to YAML anchors in it: each may stand for all of the text above it. */
  aliases: 1000,
  /** Values, an alias counting as what it stands for. */
  values: 100_000,
  /** Lists and objects within each other; a config has five. */
  depth: 32,
} as const

/** The config as an error. */
export const invalidConfig = (where: string, problem: string, cause?: unknown): IftError =>
  new IftError(
    'IFT_CONFIG_INVALID',
    `${where} is not valid:\n  - ${problem}`,
    'Many data files are named by their folder: data: ./folder',
    { cause },
  )

/** Objects of a config, whichever realm they are from; what has a class of its own is a value. */
const isObject = (value: object): value is Record<string, unknown> => {
  const prototype = Object.getPrototypeOf(value) as object | null
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

/**
 * A copy of a config in which every value is of its own: aliases and shared objects are copied, getters are called. Plugins
 * stay as they are. Throws IFT_CONFIG_INVALID for one that holds itself, is too large or nested too deep, or throws.
 */
export function copyConfig(config: unknown, where: string): unknown {
  let values = 0
  const copy = (value: unknown, path: readonly string[]): unknown => {
    const at = path.slice(0, 8).join('.') || 'config'
    if (++values > configLimits.values)
      throw invalidConfig(where, `${path[0] ?? 'config'}: more than ${configLimits.values} values`)
    if (typeof value !== 'object' || value === null) return value
    if (path.length === 2 && path[0] === 'plugins') return value
    const isList = Array.isArray(value)
    if (!isList && !isObject(value)) return value
    if (path.length > configLimits.depth)
      throw invalidConfig(
        where,
        `${at}: lists and objects more than ${configLimits.depth} deep within each other, or one that holds itself`,
      )
    if (isList) {
      if (value.length > configLimits.values)
        throw invalidConfig(where, `${at}: ${value.length} entries, expected at most ${configLimits.values}`)
      return Array.from(value, (item: unknown, i) => copy(item, [...path, String(i)]))
    }
    const out: Record<string, unknown> = {}
    for (const key of Object.keys(value)) {
      const inside = [...path, key]
      let item: unknown
      try {
        item = value[key]
      } catch (cause) {
        const reason = cause instanceof Error ? cause.message : String(cause)
        throw invalidConfig(where, `${inside.join('.')}: reading it throws: ${reason}`, cause)
      }
      // `__proto__` is a key like others.
      Object.defineProperty(out, key, {
        value: copy(item, inside),
        enumerable: true,
        writable: true,
        configurable: true,
      })
    }
    return out
  }
  if (typeof config !== 'object' || config === null || Array.isArray(config))
    throw invalidConfig(
      where,
      `expected an object, found ${Array.isArray(config) ? 'a list' : config === null ? 'null' : typeof config}`,
    )
  return copy(config, [])
}
