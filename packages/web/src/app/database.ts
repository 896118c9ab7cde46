/** A conversation or a comparison as lists show it. */
export interface Entry {
  readonly id: string
  readonly kind: 'chat' | 'compare'
  readonly title: string
  /** Milliseconds since 1970. */
  readonly created: number
  readonly updated: number
}

/** Entries and what they hold, which is read when it is opened. */
export interface Database {
  readonly entries: () => Promise<readonly Entry[]>
  readonly body: (id: string) => Promise<unknown>
  /** `unite` is told what is there, of another tab or of before, and says what is kept. */
  readonly put: (entry: Entry, unite: (there: unknown) => unknown) => Promise<void>
  /** The entry alone: its title changed. */
  readonly putEntry: (entry: Entry) => Promise<void>
  readonly remove: (ids: readonly string[]) => Promise<void>
  /** Whether it is still there when the page is opened again. */
  readonly isKept: boolean
}

const done = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error ?? new Error('The browser refused a read or write.'))
  })

const finished = (transaction: IDBTransaction): Promise<void> =>
  new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve()
    transaction.onabort = transaction.onerror = () =>
      reject(transaction.error ?? new Error('The browser refused a write.'))
  })

const names = ['entries', 'bodies'] as const

/** IndexedDB of this browser. */
async function openIndexed(): Promise<Database> {
  const opening = indexedDB.open('ift', 1)
  opening.onupgradeneeded = () => {
    opening.result.createObjectStore('entries', { keyPath: 'id' })
    opening.result.createObjectStore('bodies')
  }
  const database = await done(opening)
  const read = (name: (typeof names)[number]) => database.transaction(name).objectStore(name)
  const write = async (run: (entries: IDBObjectStore, bodies: IDBObjectStore) => void) => {
    const transaction = database.transaction(names, 'readwrite')
    run(transaction.objectStore('entries'), transaction.objectStore('bodies'))
    await finished(transaction)
  }
  return {
    isKept: true,
    entries: () => done(read('entries').getAll() as IDBRequest<Entry[]>),
    body: (id) => done(read('bodies').get(id)),
    put: (entry, unite) =>
      write((entries, bodies) => {
        entries.put(entry)
        // In one transaction: no other tab writes between the two.
        const there = bodies.get(entry.id) as IDBRequest<unknown>
        there.onsuccess = () => bodies.put(unite(there.result), entry.id)
      }),
    putEntry: (entry) => write((entries) => void entries.put(entry)),
    remove: (ids) =>
      write((entries, bodies) => {
        for (const id of ids) {
          entries.delete(id)
          bodies.delete(id)
        }
      }),
  }
}

/** As long as the page lives. */
export function memoryDatabase(): Database {
  const kept = new Map<string, { entry: Entry; body: unknown }>()
  return {
    isKept: false,
    entries: () => Promise.resolve([...kept.values()].map(({ entry }) => entry)),
    body: (id) => Promise.resolve(kept.get(id)?.body),
    put: (entry, unite) => {
      kept.set(entry.id, { entry, body: unite(kept.get(entry.id)?.body) })
      return Promise.resolve()
    },
    putEntry: (entry) => {
      kept.set(entry.id, { entry, body: kept.get(entry.id)?.body })
      return Promise.resolve()
    },
    remove: (ids) => {
      for (const id of ids) kept.delete(id)
      return Promise.resolve()
    },
  }
}

/** Some browsers have no database in private windows. */
export const openDatabase = (): Promise<Database> =>
  typeof indexedDB === 'undefined' ? Promise.resolve(memoryDatabase()) : openIndexed().catch(memoryDatabase)
