import { computed, signal } from '@preact/signals'
import { ApiError, getJson, postJson } from '../../api/client.js'
import type { Fault, PlanReply, RunReply, SchemaField, SchemaReply } from '../../api/types.js'
import { json, stored } from '../../app/stored.js'
import { without, withValue, type Config } from './draft.js'
import { readField, type FieldValue } from './read-field.js'

/** What is being written; survives a reload. */
export interface Draft {
  readonly config: Config
  /** Text of fields that is no right value, by path: it stays as it was typed. */
  readonly typed: Readonly<Record<string, string>>
  /** Name of the run's folder; empty: made from model, data and method. */
  readonly name: string
  /** Where it began: `empty`, `config`, `run.ID`, `saved.NAME`; null before anything was chosen. */
  readonly from: string | null
  /** To be shown. */
  readonly title: string | null
}

const emptyDraft: Draft = { config: {}, typed: {}, name: '', from: null, title: null }

const isDraft = (value: unknown): value is Draft => {
  const draft = value as Partial<Draft> | null
  return typeof draft === 'object' && typeof draft?.config === 'object' && typeof draft.typed === 'object'
}

export const draft = stored<Draft>('new-run.draft', () => emptyDraft, json(isDraft))

/** Configs that were kept in this browser, by name. */
export const saved = stored<Readonly<Record<string, Config>>>(
  'new-run.saved',
  () => ({}),
  json((value): value is Readonly<Record<string, Config>> => typeof value === 'object' && value !== null),
)

export const schema = signal<SchemaReply | null>(null)
export const schemaProblem = signal<ApiError | null>(null)

let reading: Promise<void> | null = null

/** Reads the schema; callers of one time share one request. */
export function readSchema(): Promise<void> {
  reading ??= fetchSchema().finally(() => {
    reading = null
  })
  return reading
}

async function fetchSchema(): Promise<void> {
  try {
    schema.value = await getJson<SchemaReply>('/api/schema')
    schemaProblem.value = null
  } catch (error) {
    schemaProblem.value = error instanceof ApiError ? error : new ApiError(0, null, String(error))
  }
}

/** The newest plan; `isOld` while a newer one is made. */
export const plan = signal<{ readonly reply: PlanReply; readonly isOld: boolean } | null>(null)
/** Why no plan was answered at all. */
export const planProblem = signal<ApiError | null>(null)

/** Options that a run started here has not: the server says where it lies. */
const notStarted = ['output', 'ranks', 'cache', '$schema']

const startable = (config: Config): Config => notStarted.reduce<Config>(without, config)

/** Begins at one of the starting points of the rail. */
export async function beginAt(from: string): Promise<void> {
  if (draft.value.from === from) return
  if (from === 'empty') draft.value = { ...emptyDraft, from }
  else if (from === 'config') {
    if (schema.value === null) await readSchema()
    const config = schema.value?.config
    if (config) open(config.written, from, config.path)
  } else if (from.startsWith('saved.')) {
    const name = from.slice('saved.'.length)
    const config = saved.value[name]
    if (config !== undefined) open(config, from, name)
  } else if (from.startsWith('run.')) {
    const run = await getJson<RunReply>(`/api/runs/${encodeURIComponent(from.slice('run.'.length))}`)
    const config = run.written ?? run.config
    if (config !== null) open(config, from, run.name)
  }
}

/** Begins with a config. */
export function open(config: Config, from: string | null, title: string): void {
  draft.value = { config: startable(config), typed: {}, name: '', from, title }
}

/** Takes what was typed into a field. A wrong text goes into the config as it is, so that command and file show it. */
export function type(field: SchemaField, text: string): void {
  const read = readField(field, text)
  const { [field.path]: _, ...typed } = draft.value.typed
  const { config } = draft.value
  draft.value = {
    ...draft.value,
    config:
      read.kind === 'absent'
        ? without(config, field.path)
        : withValue(config, field.path, read.kind === 'value' ? read.value : text),
    typed: read.kind === 'value' ? typed : { ...typed, [field.path]: text },
  }
}

/** Sets an option, or with undefined goes back to its default. */
export function set(path: string, value: unknown): void {
  const { [path]: _, ...typed } = draft.value.typed
  const config =
    value === undefined ? without(draft.value.config, path) : withValue(draft.value.config, path, value)
  draft.value = { ...draft.value, config, typed }
}

/** Fields of the form, those of the method among them. */
export const fields = computed<readonly SchemaField[]>(() => {
  const all = schema.value
  if (all === null) return []
  const method = methodOf(draft.value.config)
  const own = all.methods.find(({ name }) => name === method)?.fields ?? []
  return [...all.sections.flatMap((section) => section.fields), ...own]
})

/** The method of a config. */
export function methodOf(config: Config): string {
  const peft = config['peft'] as Record<string, unknown> | string | undefined
  const method = typeof peft === 'string' ? peft : peft?.['method']
  return typeof method === 'string' ? method : 'lora'
}

/** Fields whose text is wrong, before the server has seen it. */
export const wrong = computed<ReadonlyMap<string, Extract<FieldValue, { kind: 'wrong' }>>>(() => {
  const found = new Map<string, Extract<FieldValue, { kind: 'wrong' }>>()
  for (const field of fields.value) {
    const typed = draft.value.typed[field.path]
    if (typed === undefined) continue
    const read = readField(field, typed)
    if (read.kind === 'wrong') found.set(field.path, read)
  }
  return found
})

/** Faults of the newest plan that no field says itself. */
export const faults = computed<readonly Fault[]>(() => plan.value?.reply.faults ?? [])

/** Options that there are not, with what they may have meant. */
export const unknown = computed<readonly Fault[]>(() => {
  const known = fields.value.map(({ path }) => path)
  return faults.value.filter(
    ({ path, nearest }) =>
      nearest !== null && path !== '' && !known.some((one) => one === path || path.startsWith(`${one}.`)),
  )
})

const pause = 300
let timer: ReturnType<typeof setTimeout> | undefined
let asking: AbortController | null = null

/** Makes the plan 300 ms after the last key: faults and command at once, the rest when there are none. */
export function askForPlan(config: Config): void {
  clearTimeout(timer)
  if (plan.value !== null) plan.value = { ...plan.value, isOld: true }
  timer = setTimeout(() => {
    asking?.abort()
    asking = new AbortController()
    void make(config, asking.signal)
  }, pause)
}

async function make(config: Config, signal: AbortSignal): Promise<void> {
  const isOver = () => signal.aborted
  try {
    const quick = await postJson<PlanReply>('/api/plan', { config, quick: true }, { signal })
    if (isOver()) return
    // The figures of before stay, fainter, until there are new ones.
    plan.value = { reply: { ...quick, plan: plan.value?.reply.plan ?? null }, isOld: true }
    planProblem.value = null
    if (quick.faults.length > 0) return
    const reply = await postJson<PlanReply>('/api/plan', { config }, { signal })
    if (!isOver()) plan.value = { reply, isOld: false }
  } catch (error) {
    if (isOver()) return
    if (error instanceof ApiError && error.code === 'superseded') return
    planProblem.value = error instanceof ApiError ? error : new ApiError(0, null, String(error))
  }
}
