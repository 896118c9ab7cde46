import { signal } from '@preact/signals'
import { openDatabase, type Entry } from './database.js'

export type { Entry } from './database.js'

/** Conversations and comparisons of this browser, the newest first. They are kept nowhere else. */
export const history = signal<readonly Entry[]>([])
/** Whether they are still there when the page is opened again. */
export const isKept = signal(true)

/** What the browser said when it refused to keep something; null while it keeps all. */
export const refused = signal<string | null>(null)

const database = openDatabase()

/** Reads the list; resolves when `history` holds it. */
export const historyRead = database.then(async (open) => {
  isKept.value = open.isKept
  history.value = ordered(await open.entries())
})

const ordered = (entries: readonly Entry[]) => [...entries].sort((a, b) => b.updated - a.updated)

/** 64 random bits as an id. */
export const newId = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, '0')).join('')

export const bodyOf = async (id: string): Promise<unknown> => (await database).body(id)

/** Deleted: an answer that was under way then must not bring its conversation back. */
const gone = new Set<string>()

/** What another tab did to the history that both have. */
type Told = { readonly saved: string } | { readonly gone: readonly string[] }

const channel = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel('ift.history')
const tell = (told: Told) => channel?.postMessage(told)

/** What another tab wrote last: whoever has it open takes it. */
export const savedElsewhere = signal<{ readonly id: string } | null>(null)

if (channel !== null)
  channel.onmessage = ({ data }: MessageEvent<Told>) => {
    if ('gone' in data) {
      for (const id of data.gone) gone.add(id)
      history.value = history.value.filter(({ id }) => !gone.has(id))
      return
    }
    savedElsewhere.value = { id: data.saved }
    void database.then(async (open) => (history.value = ordered(await open.entries())))
  }

/** Items of both, ours first where both have one, unless `isNewer` says that theirs is newer. No message of another tab is lost. */
export function united<T extends { readonly id: string }>(
  ours: readonly T[],
  theirs: readonly T[],
  isNewer: (theirs: T, ours: T) => boolean = () => false,
): readonly T[] {
  const known = new Map(theirs.map((item) => [item.id, item]))
  const own = ours.map((item) => {
    const other = known.get(item.id)
    known.delete(item.id)
    return other !== undefined && isNewer(other, item) ? other : item
  })
  return known.size === 0 ? own : [...own, ...known.values()]
}

/** Keeps something; `unite` lays what another tab has written meanwhile over it. */
export async function save<T>(
  entry: Entry,
  body: T,
  unite: (ours: T, theirs: unknown) => T = (ours) => ours,
): Promise<void> {
  if (gone.has(entry.id)) return
  history.value = ordered([entry, ...history.value.filter(({ id }) => id !== entry.id)])
  try {
    await (await database).put(entry, (there) => unite(body, there))
    tell({ saved: entry.id })
    refused.value = null
  } catch (error) {
    // A full disk, or storage that was switched off: what is open goes on.
    refused.value = error instanceof Error ? error.message : String(error)
  }
}

export async function rename(id: string, title: string): Promise<void> {
  const entry = history.value.find((one) => one.id === id)
  if (!entry) return
  const renamed = { ...entry, title }
  history.value = history.value.map((one) => (one.id === id ? renamed : one))
  await (await database).putEntry(renamed)
}

export async function forget(ids: readonly string[]): Promise<void> {
  for (const id of ids) gone.add(id)
  history.value = history.value.filter(({ id }) => !ids.includes(id))
  await (await database).remove(ids)
  tell({ gone: ids })
}

/** Ids of entries of a kind in whose title or text something stands, in any case of letters. */
export async function search(kind: Entry['kind'], wanted: string): Promise<ReadonlySet<string>> {
  const found = new Set<string>()
  const needle = wanted.toLowerCase()
  const open = await database
  for (const { id, title } of history.value.filter((entry) => entry.kind === kind)) {
    if (title.toLowerCase().includes(needle) || holds(await open.body(id), needle)) found.add(id)
  }
  return found
}

/** Texts that were written: of turns and prompts, not of tokens and settings. */
function holds(body: unknown, needle: string): boolean {
  if (Array.isArray(body)) return body.some((one) => holds(one, needle))
  if (typeof body !== 'object' || body === null) return false
  return Object.entries(body).some(
    ([key, value]) =>
      ((key === 'content' || key === 'text') &&
        typeof value === 'string' &&
        value.toLowerCase().includes(needle)) ||
      (key !== 'tokens' && typeof value === 'object' && holds(value, needle)),
  )
}

/** A file of everything of a kind, or of some of it. */
export interface Exported {
  readonly format: 'ift-history'
  readonly version: 1
  readonly items: readonly { readonly entry: Entry; readonly body: unknown }[]
}

export async function exported(entries: readonly Entry[]): Promise<Exported> {
  const open = await database
  const items = await Promise.all(entries.map(async (entry) => ({ entry, body: await open.body(entry.id) })))
  return { format: 'ift-history', version: 1, items }
}

/** What an entry and its body must be to be taken in. */
export type Check = (kind: Entry['kind'], body: unknown) => boolean

/** Takes a file of `exported` in; what is there already is left. Throws with what is wrong with the file. Returns how many were new. */
export async function importFile(text: string, isBody: Check): Promise<number> {
  const items = readExported(text, isBody)
  const known = new Set(history.value.map(({ id }) => id))
  const fresh = items.filter(({ entry }) => !known.has(entry.id))
  for (const { entry, body } of fresh) {
    gone.delete(entry.id)
    await save(entry, body)
  }
  return fresh.length
}

const found = (value: unknown): string => (value === undefined ? 'none' : JSON.stringify(value))

/** The items of a file. Throws `Error` with what was expected and found, and where. */
export function readExported(text: string, isBody: Check): Exported['items'] {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new Error(`Expected JSON: ${error instanceof Error ? error.message : ''}`, { cause: error })
  }
  const { format, version, items } = (value ?? {}) as Partial<Record<keyof Exported, unknown>>
  if (format !== 'ift-history' || !Array.isArray(items))
    throw new Error(`Expected a file that this page wrote ("format": "ift-history"), found ${found(format)}.`)
  if (version !== 1) throw new Error(`Expected version 1, found ${found(version)}.`)
  return items.map((item: unknown, i) => {
    const { entry, body } = (item ?? {}) as { entry?: Partial<Entry>; body?: unknown }
    const { id, kind, title, created, updated } = entry ?? {}
    if (
      typeof id !== 'string' ||
      !/^[\w-]{1,64}$/.test(id) ||
      (kind !== 'chat' && kind !== 'compare') ||
      typeof title !== 'string' ||
      typeof created !== 'number' ||
      typeof updated !== 'number'
    )
      throw new Error(`items[${i}].entry: expected id, kind, title, created and updated.`)
    if (!isBody(kind, body))
      throw new Error(`items[${i}].body: expected a ${kind === 'chat' ? 'conversation' : 'comparison'}.`)
    return { entry: { id, kind, title: title.slice(0, 200), created, updated }, body }
  })
}

/** A title from a first message: one line, 60 characters at most. */
export function titleOf(message: string): string {
  const line = message.trim().replace(/\s+/g, ' ')
  return line.length > 60 ? `${line.slice(0, 59).trimEnd()}…` : line
}

/** Hands a file to the browser's downloads. */
export function download(name: string, value: unknown): void {
  const address = URL.createObjectURL(
    new Blob([JSON.stringify(value, null, 1)], { type: 'application/json' }),
  )
  const link = document.createElement('a')
  link.href = address
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(address), 10_000)
}
