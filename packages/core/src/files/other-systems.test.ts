// What differs on other systems than the one that the tests run on: paths of Windows, processes without /proc.
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import promises from 'node:fs/promises'
import { tmpdir } from 'node:os'
import nodePath, { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { runHolder } from '../train/run-lock.js'
import { processPlace, processStart } from './process.js'

afterEach(() => {
  vi.restoreAllMocks()
  vi.resetModules()
  vi.doUnmock('node:path')
  vi.doUnmock('node:fs/promises')
})

const on = (platform: NodeJS.Platform) => vi.spyOn(process, 'platform', 'get').mockReturnValue(platform)
const failure = (code: string) => Object.assign(new Error(`${code}: no`), { code })

describe('paths of Windows', () => {
  const onWindows = async () => {
    vi.resetModules()
    vi.doMock('node:path', () => ({ ...nodePath.win32, default: nodePath.win32 }))
    return { ...(await import('./paths.js')), ...(await import('../source/spec.js')) }
  }

  test.each([
    ['.\\mine.jsonl', 'C:\\work\\mine.jsonl'],
    ['./mine.jsonl', 'C:\\work\\mine.jsonl'],
    ['data/mine.jsonl', 'C:\\work\\data\\mine.jsonl'],
    ['..\\mine.jsonl', 'C:\\mine.jsonl'],
    ['D:\\mine.jsonl', 'D:\\mine.jsonl'],
    ['D:/mine.jsonl', 'D:\\mine.jsonl'],
    ['\\\\server\\share\\mine.jsonl', '\\\\server\\share\\mine.jsonl'],
  ])('%s in a config in C:\\work', async (written, meant) => {
    const { localPath } = await onWindows()
    expect(localPath('C:\\work', written)).toBe(meant)
  })

  test('~ is the home folder, with either slash', async () => {
    const { expandHome } = await onWindows()
    expect(expandHome('~\\runs', 'C:\\Users\\me')).toBe('C:\\Users\\me\\runs')
    expect(expandHome('~/runs', 'C:\\Users\\me')).toBe('C:\\Users\\me/runs')
    expect(expandHome('~me', 'C:\\Users\\me')).toBe('~me')
  })

  test.each(['C:\\models\\llama', 'C:/models/llama', '.\\llama', '..\\llama', '~\\llama'])(
    'weights %s are a folder that is not there, not a hub id',
    async (spec) => {
      const { parseSource } = await onWindows()
      await expect(parseSource(spec, 'C:\\work', 'model')).rejects.toMatchObject({
        code: 'IFT_SOURCE_NOT_FOUND',
      })
    },
  )

  test('a hub id stays one', async () => {
    const { parseSource } = await onWindows()
    expect(await parseSource('org/name@v1', 'C:\\work', 'model')).toEqual({ id: 'org/name', revision: 'v1' })
  })
})

describe('processes', () => {
  const ended = () => spawnSync(process.execPath, ['-e', '']).pid

  test.each(['win32', 'linux'] as const)('on %s: one that is there, and one that has ended', (platform) => {
    on(platform)
    expect(processStart(process.pid)).toEqual(platform === 'win32' ? '' : expect.any(String))
    expect(processStart(ended())).toBeNull()
  })

  test('the place of a process has a host, with or without /proc', () => {
    expect(processPlace().host).not.toBe('')
  })

  describe('a lock whose process is there, where a system does not tell when it began', () => {
    let dir: string
    beforeEach(() => {
      dir = mkdtempSync(join(tmpdir(), 'ift-lock-'))
      const holder = { ...processPlace(), pid: process.pid, started: '', since: '2026-01-01T00:00:00.000Z' }
      writeFileSync(join(dir, 'run.lock'), JSON.stringify(holder))
    })
    afterEach(() => {
      rmSync(dir, { recursive: true })
    })

    test('is held while it is touched', () => {
      on('win32')
      expect(runHolder(dir)?.pid).toBe(process.pid)
    })

    test('was left behind when nobody has touched it for two minutes: the process is a later one of its id', () => {
      on('win32')
      const before = (Date.now() - 125_000) / 1000
      utimesSync(join(dir, 'run.lock'), before, before)
      expect(runHolder(dir)).toBeNull()
    })
  })
})

describe('files that another program has open', () => {
  let dir: string
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'ift-open-'))
  })
  afterEach(() => {
    rmSync(dir, { recursive: true })
  })

  /** Files are replaced at the third try. */
  async function refusing(code: string) {
    let left = 2
    vi.resetModules()
    vi.doMock('node:fs/promises', () => ({
      ...promises,
      rename: (from: string, to: string) =>
        left-- > 0 ? Promise.reject(failure(code)) : promises.rename(from, to),
    }))
    return import('./atomic.js')
  }

  test.each(['EPERM', 'EACCES', 'EBUSY'])(
    'on Windows, %s: a file and a folder are replaced all the same',
    async (code) => {
      on('win32')
      const file = join(dir, 'plan.json')
      writeFileSync(file, 'old')
      await (await refusing(code)).writeFileAtomic(file, 'new')
      expect(readFileSync(file, 'utf8')).toBe('new')
      const folder = join(dir, 'adapter')
      const { replaceDir } = await refusing(code)
      await replaceDir(folder, (temporary) => promises.writeFile(join(temporary, 'a'), ''))
      expect(existsSync(join(folder, 'a'))).toBe(true)
    },
  )

  test('elsewhere, and for other reasons, it is an error at once', async () => {
    const file = join(dir, 'plan.json')
    await expect((await refusing('EPERM')).writeFileAtomic(file, 'new')).rejects.toThrow('EPERM')
    on('win32')
    await expect((await refusing('EXDEV')).writeFileAtomic(file, 'new')).rejects.toThrow('EXDEV')
    expect(existsSync(file)).toBe(false)
  })
})

describe('disks without links', () => {
  test.each(['EPERM', 'EISDIR', 'ENOTSUP'])('%s: a file of the hub is copied', async (code) => {
    const dir = mkdtempSync(join(tmpdir(), 'ift-links-'))
    try {
      vi.resetModules()
      vi.doMock('node:fs/promises', () => ({ ...promises, symlink: () => Promise.reject(failure(code)) }))
      const { RepoCache } = await import('../source/cache.js')
      const cache = new RepoCache(dir, 'model', 'org/name')
      const etag = '0'.repeat(40)
      mkdirSync(join(cache.dir, 'blobs'), { recursive: true })
      writeFileSync(cache.blob(etag), '{}')
      await cache.link('c'.repeat(40), { path: 'config.json', etag, blobId: etag, size: 2 })
      const copy = join(cache.snapshot('c'.repeat(40)), 'config.json')
      expect(lstatSync(copy).isFile()).toBe(true)
      expect(readFileSync(copy, 'utf8')).toBe('{}')
    } finally {
      rmSync(dir, { recursive: true })
    }
  })
})
