import { signal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { ApiError, getJson } from '../../api/client.js'
import type { DataListReply, DataMapping, DataProgress, DataReply, DataUnmapped } from '../../api/types.js'

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
  /** Columns that have to be known before it can be read. */
  readonly unmapped: DataMapping | null
}

export const notRead: Reading = { data: null, progress: null, problem: null, unmapped: null }

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
      const reply = await getJson<DataReply | DataProgress | DataUnmapped>(
        `/api/data/${encodeURIComponent(name)}`,
        {
          signal,
        },
      )
      if (!('reading' in reply)) {
        on('unmapped' in reply ? { ...notRead, unmapped: reply.unmapped } : { ...notRead, data: reply })
        return
      }
      on({ ...notRead, progress: reply.reading })
    } catch (error) {
      if (isOver()) return
      on({
        ...notRead,
        problem: error instanceof ApiError ? error : new ApiError(0, null, String(error)),
      })
      return
    }
    await new Promise((resolve) => setTimeout(resolve, wait))
  }
}
