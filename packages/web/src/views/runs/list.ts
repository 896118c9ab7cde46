import { signal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { ApiError, getJson } from '../../api/client.js'
import type { RunsReply } from '../../api/types.js'

/** The runs of the server; null until they were read. */
export const runs = signal<RunsReply | null>(null)
/** Why they could not be read. */
export const runsProblem = signal<ApiError | null>(null)

const every = 2000
let users = 0
let timer: ReturnType<typeof setTimeout> | undefined

/** Reads the list anew. */
export async function readRuns(): Promise<void> {
  clearTimeout(timer)
  try {
    runs.value = await getJson<RunsReply>('/api/runs')
    runsProblem.value = null
  } catch (error) {
    runsProblem.value = error instanceof ApiError ? error : new ApiError(0, null, String(error))
  }
  clearTimeout(timer)
  if (users > 0) timer = setTimeout(() => void readRuns(), document.hidden ? every * 10 : every)
}

/** Keeps the list new while a component is there. */
export function useRuns(): RunsReply | null {
  useEffect(() => {
    users++
    if (users === 1) void readRuns()
    return () => {
      users--
      if (users === 0) clearTimeout(timer)
    }
  }, [])
  return runs.value
}
