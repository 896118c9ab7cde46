import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { folderPrefix, makeUnpackFolder } from './unpack-folder.js'

let parent = ''
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'ift-unpack-folder-'))
  for (const name of ['TMPDIR', 'TEMP', 'TMP']) vi.stubEnv(name, parent)
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(parent, { recursive: true, force: true })
})

test.skipIf(process.platform === 'win32')(
  'what a killed process left is removed, and nothing else',
  async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
    await once(child, 'spawn')
    const prefix = folderPrefix(child.pid)
    const left = await mkdtemp(join(parent, prefix))
    await writeFile(join(left, 'entry'), 'PAR1')
    const open = await mkdtemp(join(parent, prefix))
    await chmod(open, 0o755)
    await writeFile(join(parent, `${prefix}file00`), '')
    await symlink(left, join(parent, `${prefix}link00`))
    // Of another machine or container, whose processes have other numbers.
    await mkdir(join(parent, prefix.replace(/-[0-9a-f]{8}-/, '-00000000-') + 'aaaaaa'), { mode: 0o700 })
    // Of a process that had the number of this one.
    const earlier = join(parent, folderPrefix().replace(/[0-9a-f]{8}-$/, '00000000-') + 'aaaaaa')
    await mkdir(earlier, { mode: 0o700 })
    const before = (await readdir(parent)).length

    const own = await makeUnpackFolder()
    expect(existsSync(left)).toBe(true)
    expect(existsSync(earlier)).toBe(false)
    expect(await readdir(parent)).toHaveLength(before)

    child.kill('SIGKILL')
    await once(child, 'exit')
    await makeUnpackFolder()
    expect([left, own, open].map((path) => existsSync(path))).toEqual([false, true, true])
    expect(await readdir(parent)).toHaveLength(before)
  },
)
