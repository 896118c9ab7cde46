import { setTimeout as sleep } from 'node:timers/promises'
import { processStart } from '@ift/core'
import type { Server } from './server.js'

/** Milliseconds between two looks, and for which nobody may watch behind the end of the process: a page that is loaded anew comes back. */
const interval = 1000
const quiet = 15_000

/** Resolves when a process has ended and no page has watched a run, or asked anything, for a while. */
export async function untilUnwatched(
  pid: number,
  server: Pick<Server, 'watching' | 'lastAsked'>,
): Promise<void> {
  const started = processStart(pid)
  let watched = Date.now()
  while (Date.now() - watched < quiet) {
    await sleep(interval)
    watched = Math.max(watched, server.lastAsked)
    if (server.watching > 0 || (started !== null && processStart(pid) === started)) watched = Date.now()
  }
}
