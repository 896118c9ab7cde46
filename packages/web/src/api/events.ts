/** Seconds before each try to connect again; the last holds from then on. */
const waits = [1, 2, 5, 10]

export type EventsState =
  | { readonly kind: 'open' }
  /** Tried again then, in milliseconds since 1970. */
  | { readonly kind: 'lost'; readonly retryAt: number }

export interface ListenOptions {
  readonly names: readonly string[]
  readonly onEvent: (name: string, data: unknown, id: string) => void
  readonly onState: (state: EventsState) => void
  /** Position behind which events begin. */
  readonly after?: string
}

export interface Listening {
  /** Connects at once instead of waiting. */
  tryNow(): void
  close(): void
}

/**
 * Listens to events of a path, and connects again by itself: after 1, 2, 5, 10 seconds, then every 10, behind the last event that was
 * heard. EventSource alone waits for as long as it likes, and gives up on some errors.
 */
export function listen(path: string, { names, onEvent, onState, after }: ListenOptions): Listening {
  let source: EventSource | null = null
  let last = after
  let tries = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  let closed = false
  const connect = () => {
    clearTimeout(timer)
    source?.close()
    const query =
      last === undefined ? '' : `${path.includes('?') ? '&' : '?'}after=${encodeURIComponent(last)}`
    const own = new EventSource(path + query)
    source = own
    own.onopen = () => {
      tries = 0
      onState({ kind: 'open' })
    }
    own.onerror = () => {
      own.close()
      if (closed || source !== own) return
      const wait = waits[Math.min(tries, waits.length - 1)]! * 1000
      tries++
      onState({ kind: 'lost', retryAt: Date.now() + wait })
      timer = setTimeout(connect, wait)
    }
    for (const name of names)
      own.addEventListener(name, (event) => {
        const { data, lastEventId } = event as MessageEvent<string>
        if (lastEventId !== '') last = lastEventId
        onEvent(name, JSON.parse(data) as unknown, lastEventId)
      })
  }
  connect()
  return {
    tryNow: () => {
      tries = 0
      connect()
    },
    close: () => {
      closed = true
      clearTimeout(timer)
      source?.close()
    },
  }
}
