import { mkdir, open, rename, rm, stat, utimes } from 'node:fs/promises'
import { randomUUID } from 'node:crypto'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** A holder renews its lock this often; one that missed five times is gone. */
const heartbeatMs = 2000
const staleMs = 5 * heartbeatMs

/**
 * Runs a function while no other process runs one for the same path. The lock is a file that its holder keeps fresh,
 * so one left by a killed process ends by itself. It only saves double work: the guarded operation must be safe
 * without it.
 */
export async function withFileLock<T>(path: string, run: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  await mkdir(dirname(path), { recursive: true })
  for (;;) {
    signal?.throwIfAborted()
    try {
      const file = await open(path, 'wx')
      await file.close()
      break
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause
    }
    const found = await stat(path).catch(() => null)
    if (found && Date.now() - found.mtimeMs > staleMs) {
      // Several processes may see it; one succeeds in moving it away.
      const away = `${path}.${randomUUID().slice(0, 8)}`
      await rename(path, away).then(
        () => rm(away, { force: true }),
        (cause: unknown) => {
          // In a folder that cannot be written nobody ever will.
          if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause
        },
      )
    } else await sleep(100, undefined, { signal }).catch(() => signal?.throwIfAborted())
  }
  const renew = () => {
    const now = new Date()
    utimes(path, now, now).catch(() => undefined)
  }
  const heartbeat = setInterval(renew, heartbeatMs)
  heartbeat.unref()
  try {
    return await run()
  } finally {
    clearInterval(heartbeat)
    await rm(path, { force: true })
  }
}
