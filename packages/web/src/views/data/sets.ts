import { signal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { ApiError, getJson } from '../../api/client.js'
import type { DataListReply, DataProgress, DataReply } from '../../api/types.js'

/** Sets that can be looked at; null until they were read. */
export const sets = signal<DataListReply | null>(null)

/** Reads the list of sets when a component first needs it. */
export function useSets(): DataListReply | null {
  useEffect(() => {
    void getJson<DataListReply>('/api/data').then(
      (reply) => {
        sets.value = reply
      },
      () => undefined,
    )
  }, [])
  return sets.value
}

/** A set that is read: how far that is, then the set. */
export interface Reading {
  readonly data: DataReply | null
  readonly progress: DataProgress['reading'] | null
  readonly problem: ApiError | null
}

/** Asks for a set until it is read. */
export async function readSet(
  name: string,
  signal: AbortSignal,
  on: (reading: Reading) => void,
  wait = 500,
): Promise<void> {
  const isOver = () => signal.aborted
  while (!isOver()) {
    try {
      const reply = await getJson<DataReply | DataProgress>(`/api/data/${encodeURIComponent(name)}`, {
        signal,
      })
      if (!('reading' in reply)) {
        on({ data: reply, progress: null, problem: null })
        return
      }
      on({ data: null, progress: reply.reading, problem: null })
    } catch (error) {
      if (isOver()) return
      on({
        data: null,
        progress: null,
        problem: error instanceof ApiError ? error : new ApiError(0, null, String(error)),
      })
      return
    }
    await new Promise((resolve) => setTimeout(resolve, wait))
  }
}
