import { z } from 'zod'
import { HttpError, unsupported } from '../wire/errors.js'

/** Fields that clients send for a service of OpenAI; they mean nothing here, and are no mistake. */
const meaningless = new Set([
  ...[
    'user',
    'metadata',
    'store',
    'service_tier',
    'safety_identifier',
    'prompt_cache_key',
    'prompt_cache_retention',
  ],
  ...['verbosity', 'web_search_options', 'prediction'],
])

/** A request that has been read, and names of fields that were not. */
export interface ReadRequest<T> {
  readonly value: T
  readonly ignored: readonly string[]
}

/**
 * A body as its schema has it. A field of null is none: clients write it for what they leave out. Throws 400 with the field that is wrong,
 * what was expected and found.
 */
export function readRequest<S extends z.ZodObject>(
  schema: S,
  body: Readonly<Record<string, unknown>>,
  strict: boolean,
): ReadRequest<z.output<S>> {
  const given = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null))
  const ignored = Object.keys(given).filter(
    (key) => !Object.hasOwn(schema.shape, key) && !meaningless.has(key),
  )
  if (strict && ignored.length > 0)
    throw unsupported(ignored[0]!, `"${ignored[0]}" is no field of this request that is known.`)
  const result = schema.safeParse(given)
  if (result.success) return { value: result.data, ignored }
  const issue = result.error.issues[0]!
  const path = pathOf(issue.path)
  const what = issue.code === 'invalid_key' ? shown(issue.path.at(-1)) : shown(valueAt(given, issue.path))
  throw new HttpError(400, 'invalid_value', `${path}: ${said(issue)}, found ${what}.`, {
    param: path,
  })
}

const pathOf = (path: readonly PropertyKey[]): string =>
  path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part).slice(0, 80)}`))
    .join('')
    .replace(/^\./, '')

/** What was expected, as zod has it, without what it says of the value. */
function said(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_union') {
    const options = issue.errors.flatMap((of) => of.slice(0, 1).map(said))
    return options.length > 0 ? [...new Set(options)].join(', or ') : issue.message
  }
  const [ofKey] = issue.code === 'invalid_key' ? issue.issues : []
  if (ofKey) return said(ofKey)
  return issue.message
    .replace(/^(Invalid input|Too big|Too small|Invalid option|Invalid string): /, '')
    .replace(/, received .*$/, '')
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let at = value
  for (const key of path) at = (at as Record<PropertyKey, unknown> | undefined)?.[key]
  return at
}

function shown(value: unknown): string {
  if (value === undefined) return 'nothing'
  const text = typeof value === 'number' ? String(value) : JSON.stringify(value)
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}
