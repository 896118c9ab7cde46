import { IftError } from '@ift/tensor'
import { copyConfig } from './limits.js'
import type * as z from './options.js'
import { configSchema, type ResolvedConfig } from './schema.js'
import { suggest } from '../suggest.js'

type Issue = z.core.$ZodIssue

interface SchemaDef {
  readonly type: string
  readonly shape?: Record<string, z.ZodType>
  readonly element?: z.ZodType
  readonly innerType?: z.ZodType
  readonly options?: readonly z.ZodType[]
}

const defOf = (schema: z.ZodType) => schema.def as unknown as SchemaDef

/** Looks through defaults, optionals and unions to every object and array inside. */
function alternatives(schema: z.ZodType): SchemaDef[] {
  const def = defOf(schema)
  if (def.innerType) return alternatives(def.innerType)
  return def.options ? def.options.flatMap(alternatives) : [def]
}

/** Keys that the objects at a path know, for suggestions. */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let here = alternatives(schema)
  for (const key of path)
    here = here.flatMap((def) => {
      const next = typeof key === 'number' ? def.element : def.shape?.[String(key)]
      return next ? alternatives(next) : []
    })
  return here.flatMap((def) => Object.keys(def.shape ?? {}))
}

const dotted = (path: readonly PropertyKey[]) => path.map(String).join('.')

/** A value as errors show it, in 80 characters at most. */
export const show = (value: unknown): string => {
  if (typeof value === 'bigint') return `${String(value).slice(0, 80)}n`
  let text: string | undefined
  try {
    text = JSON.stringify(value, (_, item: unknown) => (typeof item === 'bigint' ? `${item}n` : item))
  } catch {
    // An object of a class, which holds itself or says no.
  }
  return text === undefined ? typeof value : text.length > 80 ? `${text.slice(0, 77)}…` : text
}

/** Lines of an error that are read; the rest is counted. */
const shownIssues = 20

const valueAt = (input: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key], input)

/** Whether what is wrong lies inside a value that is of the right type itself. */
const isInside = (issue: Issue): boolean =>
  issue.path.length > 0 ||
  issue.code === 'unrecognized_keys' ||
  (issue.code === 'invalid_union' && issue.errors.some((errors) => errors.every(isInside)))

function explain(issue: Issue, schema: z.ZodType, input: unknown, prefix: string): string[] {
  const at = (path: readonly PropertyKey[]) => [prefix, dotted(path)].filter(Boolean).join('.')
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(schema, issue.path)
    return issue.keys.map((key) => {
      const near = suggest(key, known)
      return `unknown option "${at([...issue.path, key])}"${near ? `: did you mean "${at([...issue.path, near])}"?` : `; known here: ${known.join(', ')}`}`
    })
  }
  if (issue.code === 'invalid_union') {
    // Of the alternatives, the one that got furthest is the one that was meant.
    const [deepest] = issue.errors
      .filter((errors) => errors.every(isInside))
      .map((errors) =>
        errors.flatMap((e) => explain({ ...e, path: [...issue.path, ...e.path] }, schema, input, prefix)),
      )
      .sort((a, b) => a.length - b.length)
    if (deepest) return deepest
  }
  // A rule about several values says itself what was found.
  const found: unknown = issue.code === 'custom' ? issue.params?.['found'] : undefined
  const shown = found ?? valueAt(input, issue.path)
  return [
    `${at(issue.path) || 'config'}: ${messageOf(issue)}${shown === undefined ? '' : `, found ${show(shown)}`}`,
  ]
}

/** What zod says of alternatives that do not say it themselves. */
const unsaid = 'Invalid input'

/** The message of an issue; of alternatives with the types and values that they take. */
function messageOf(issue: Issue): string {
  if (issue.code !== 'invalid_union' || issue.message !== unsaid) return issue.message
  const expected = [...new Set(expectedBy(issue))]
  if (expected.length === 0) return issue.message
  return `${unsaid}: expected ${[expected.slice(0, -1).join(', '), expected.at(-1)].filter(Boolean).join(' or ')}`
}

function expectedBy(issue: Issue): string[] {
  if (issue.code === 'invalid_union') return issue.errors.flat().flatMap(expectedBy)
  if (issue.code === 'invalid_type') return [issue.expected]
  return issue.code === 'invalid_value' ? issue.values.map((value) => show(value)) : []
}

/** What is wrong with `input`, a line each that names the field; `prefix` is the place of the object in its file. */
export function faults(
  issues: readonly Issue[],
  schema: z.ZodType,
  input: unknown,
  prefix: string,
): string[] {
  const lines = issues.slice(0, shownIssues).flatMap((issue) => explain(issue, schema, input, prefix))
  // One issue of a list may be that of all its elements.
  const more = Math.max(0, lines.length - shownIssues) + Math.max(0, issues.length - shownIssues)
  return [...lines.slice(0, shownIssues), ...(more > 0 ? [`and ${more} more`] : [])]
}

/** A fault of a config: the field by its path, '' where it is none of a field, and what is wrong with it. */
export interface ConfigFault {
  readonly path: string
  readonly message: string
  /** For an option that there is not: one that there is. */
  readonly nearest: string | null
}

const faultOf = (line: string): ConfigFault => {
  const [, unknown, nearest] = /^unknown option "(.*?)"(?:: did you mean "(.*?)"\?)?/s.exec(line) ?? []
  if (unknown !== undefined) return { path: unknown, message: line, nearest: nearest ?? null }
  const [, path, message] = /^([\w.$-]+): (.*)$/s.exec(line) ?? []
  return {
    path: path === undefined || path === 'config' ? '' : path,
    message: message ?? line,
    nearest: null,
  }
}

/** What is wrong with a value of a schema, field by field; nothing where it is right. `prefix` as of `check`. */
export function configFaults(schema: z.ZodType, input: unknown, prefix = ''): ConfigFault[] {
  const result = schema.safeParse(input)
  return result.success ? [] : faults(result.error.issues, schema, input, prefix).map(faultOf)
}

/**
 * Checks `input` against a schema. `where` names the file or the options for the message, `prefix` the place of the
 * object in the config. Throws IFT_CONFIG_INVALID that lists every fault.
 */
export function check<S extends z.ZodType>(
  schema: S,
  input: unknown,
  where: string,
  prefix = '',
): z.output<S> {
  const result = schema.safeParse(input)
  if (result.success) return result.data
  const lines = faults(result.error.issues, schema, input, prefix)
  throw new IftError(
    'IFT_CONFIG_INVALID',
    `${where} is not valid:\n${lines.map((line) => `  - ${line}`).join('\n')}`,
    'Every option with its default: npx ift init --list',
  )
}

const written = new WeakMap<ResolvedConfig, unknown>()

/** The config as it was written, without the defaults. */
export const writtenOf = (config: ResolvedConfig): unknown => written.get(config)

/** A config with every default filled in. */
export function resolveConfig(input: unknown, where: string): ResolvedConfig {
  const copy = copyConfig(input, where)
  const config = check(configSchema, copy, where)
  written.set(config, copy)
  return config
}
