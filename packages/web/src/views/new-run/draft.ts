/** A config as it is being written: nested, without defaults. */
export type Config = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Config =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Value at a dotted path; undefined where there is none. */
export const valueAt = (config: Config, path: string): unknown =>
  path
    .split('.')
    .reduce<unknown>(
      (here, key) => (isObject(here) && Object.hasOwn(here, key) ? here[key] : undefined),
      config,
    )

/** The config with a value at a path. */
export function withValue(config: Config, path: string, value: unknown): Config {
  const [key, ...rest] = path.split('.') as [string, ...string[]]
  if (rest.length === 0) return { ...config, [key]: value }
  const inner = Object.hasOwn(config, key) ? config[key] : undefined
  return { ...config, [key]: withValue(isObject(inner) ? inner : {}, rest.join('.'), value) }
}

/** The config without a path; objects that are empty then go too. */
export function without(config: Config, path: string): Config {
  const [key, ...rest] = path.split('.') as [string, ...string[]]
  if (!Object.hasOwn(config, key)) return config
  const { [key]: inner, ...others } = config
  if (rest.length === 0) return others
  if (!isObject(inner)) return config
  const left = without(inner, rest.join('.'))
  return Object.keys(left).length === 0 ? others : { ...config, [key]: left }
}

/** The value of an option that is not known, under the name that was meant. */
export function renamed(config: Config, path: string, to: string): Config {
  const value = valueAt(config, path)
  return value === undefined ? config : withValue(without(config, path), to, value)
}

/** Changes of a remedy, nested as a config, laid over it. */
export function laidOver(config: Config, changes: Config): Config {
  const result: Record<string, unknown> = { ...config }
  for (const [key, value] of Object.entries(changes)) {
    const before = result[key]
    result[key] = isObject(value) && isObject(before) ? laidOver(before, value) : value
  }
  return result
}

/** Whether two values of a config are the same. */
export const equal = (a: unknown, b: unknown): boolean =>
  JSON.stringify(a ?? null) === JSON.stringify(b ?? null)

/** Options of the old method leave with it: those of the new one have other names and defaults. */
export function withMethod(config: Config, method: string, known: readonly string[]): Config {
  const peft = isObject(config['peft']) ? config['peft'] : {}
  const kept = Object.fromEntries(
    Object.entries(peft).filter(([key]) => key !== 'method' && known.includes(`peft.${key}`)),
  )
  return { ...config, peft: { ...kept, method } }
}
