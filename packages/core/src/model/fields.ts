import { IftError } from '@ift/tensor'
import { mostHeads, mostLayers, mostSize } from '../files/bounds.js'

/** config.json, or an object inside it. */
export type ConfigJson = Readonly<Record<string, unknown>>

const excerpt = (text: string): string => (text.length > 200 ? `${text.slice(0, 200)}…` : text)

/** `IFT_MODEL_CONFIG`: field of config.json, what was expected, what was found. */
export const configError = (field: string, expected: string, found: unknown, hint?: string): IftError =>
  new IftError(
    'IFT_MODEL_CONFIG',
    `config.json: ${field} expected ${expected}, found ${found === undefined ? 'nothing' : excerpt(JSON.stringify(found))}.`,
    hint,
  )

/** Whether a field is there and not null. */
export const given = (json: ConfigJson, field: string): boolean => (json[field] ?? null) !== null

/** Largest values of fields of which something is built one by one, by the names that families give them. */
const most: readonly (readonly [RegExp, number])[] = [
  [/^(n_layers?|num_layers|num_hidden_layers)$/, mostLayers],
  [
    /^(n_head|num_(attention|key_value)_heads|num_(local_)?experts|n_routed_experts|multi_query_group_num)$/,
    mostHeads,
  ],
]

const mostOf = (field: string) => most.find(([names]) => names.test(field))?.[1] ?? mostSize

/**
 * A positive integer, no larger than any model needs (`files/bounds.ts`). `name` is how errors call the field, its path where it lies
 * inside an object.
 */
export function integer(json: ConfigJson, field: string, fallback?: number, name = field): number {
  const value = json[field] ?? fallback
  if (!Number.isSafeInteger(value) || (value as number) < 1)
    throw configError(name, 'a positive integer', json[field] ?? fallback)
  const limit = mostOf(field)
  if ((value as number) > limit) throw configError(name, `at most ${limit}`, value)
  return value as number
}

/** A finite positive number. */
export function positive(json: ConfigJson, field: string, fallback?: number, name = field): number {
  const value = json[field] ?? fallback
  if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0)
    throw configError(name, 'a positive number', json[field])
  return value
}

/** true or false. */
export function flag(json: ConfigJson, field: string, fallback = false): boolean {
  const value = json[field] ?? fallback
  if (typeof value !== 'boolean') throw configError(field, 'true or false', value)
  return value
}

/** A flag of which the family has one value, which it also has where config.json lacks the flag. */
export function fixedFlag(json: ConfigJson, field: string, value: boolean, hint?: string): void {
  if (flag(json, field, value) !== value) throw configError(field, String(value), json[field], hint)
}

/** An object; {} when nothing is there. */
export function object(json: ConfigJson, field: string): ConfigJson {
  const value = json[field] ?? {}
  if (typeof value !== 'object' || Array.isArray(value)) throw configError(field, 'an object', value)
  return value as ConfigJson
}

/** Refuses what an object has beside the fields that are known: it may change what the others mean. */
export function onlyKnown(inner: ConfigJson, field: string, known: readonly string[]): void {
  for (const [name, value] of Object.entries(inner))
    if (!known.includes(name))
      throw configError(`${field}.${name}`, 'nothing', value, `Known there: ${known.join(', ')}`)
}

/** Checks that a text is one of those that the family has; `field` may be left out of config.json. */
export function oneOf<T extends string>(json: ConfigJson, field: string, values: readonly [T, ...T[]]): T {
  const value = json[field] ?? values[0]
  if (!values.includes(value as T))
    throw configError(
      field,
      values.map((one) => JSON.stringify(one)).join(' or '),
      value,
      `The family knows no other ${field}.`,
    )
  return value as T
}

/** Of each layer, whether it sees a window of the sequence only, from `layer_types`; null where config.json lacks it. */
export function windowedLayers(json: ConfigJson, layers: number): boolean[] | null {
  const types = json['layer_types'] ?? null
  if (types === null) return null
  if (!Array.isArray(types) || types.length !== layers)
    throw configError('layer_types', `a list of ${layers}, one for each layer`, types)
  return types.map((type: unknown, i) => {
    if (type !== 'full_attention' && type !== 'sliding_attention')
      throw configError(`layer_types[${i}]`, '"full_attention" or "sliding_attention"', type)
    return type === 'sliding_attention'
  })
}
