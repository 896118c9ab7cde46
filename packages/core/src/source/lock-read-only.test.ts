import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { withFileLock } from './lock.js'

// Whoever may do everything can write into any folder: a file system that refuses is made here.
vi.mock('node:fs/promises', async (original) => ({
  ...(await original<object>()),
  rename: () => Promise.reject(Object.assign(new Error('read-only file system'), { code: 'EROFS' })),
}))

const dir = mkdtempSync(join(tmpdir(), 'ift-lock-'))
afterAll(() => {
  rmSync(dir, { recursive: true })
})

test('a lock that nobody holds, where it cannot be taken away, is an error and no wait without end', async () => {
  const path = join(dir, 'a.lock')
  writeFileSync(path, '')
  const long = new Date(Date.now() - 3_600_000)
  utimesSync(path, long, long)
  await expect(withFileLock(path, () => Promise.resolve(1))).rejects.toMatchObject({ code: 'EROFS' })
})
