import { computed, signal } from '@preact/signals'
import { ApiError, getJson } from '../api/client.js'
import type { MachineReply } from '../api/types.js'

/**
 * connecting: no answer yet. absent: none ever came. locked: the token is missing or old. lost: there were answers before. changed: another
 * version answers now.
 */
export type Connection = 'connecting' | 'connected' | 'absent' | 'locked' | 'lost' | 'changed'

/** What the server last said of the machine. */
export const machine = signal<MachineReply | null>(null)
export const connection = signal<Connection>('connecting')
/** When the next try is, in milliseconds since 1970; while the connection is lost. */
export const retryAt = signal<number | null>(null)
/** Whether /v1 answers. */
export const hasModel = computed(() => machine.value?.model?.state === 'ready')

const waits = [1, 2, 5, 10]
/** Milliseconds between two looks at the machine, while the page is seen. */
const every = 5000

let loadedVersion: string | null = null
let tries = 0
let timer: ReturnType<typeof setTimeout> | undefined
let asking: AbortController | null = null

async function look(): Promise<void> {
  clearTimeout(timer)
  asking?.abort()
  const own = new AbortController()
  asking = own
  const late = setTimeout(() => own.abort(), 10_000)
  try {
    const found = await getJson<MachineReply>('/api/machine', { signal: own.signal })
    machine.value = found
    loadedVersion ??= found.version
    connection.value = found.version === loadedVersion ? 'connected' : 'changed'
    retryAt.value = null
    tries = 0
    timer = setTimeout(again, found.model?.state === 'loading' ? 500 : every)
  } catch (error) {
    if (asking !== own) return
    if (error instanceof ApiError && error.status === 401) connection.value = 'locked'
    else connection.value = machine.value === null ? 'absent' : 'lost'
    const wait = waits[Math.min(tries, waits.length - 1)]! * 1000
    tries++
    retryAt.value = Date.now() + wait
    timer = setTimeout(again, wait)
  } finally {
    clearTimeout(late)
  }
}

/** Nothing is asked while the page is hidden. */
function again(): void {
  if (document.visibilityState === 'visible') void look()
  else timer = setTimeout(again, every)
}

/** Asks at once. */
export function tryNow(): void {
  tries = 0
  void look()
}

export function watchConnection(): void {
  void look()
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible' && connection.value !== 'connected') tryNow()
  })
  addEventListener('online', tryNow)
}
