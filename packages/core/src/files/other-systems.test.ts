// What differs on other systems than the one that the tests run on: paths of Windows, processes without /proc.
import { spawnSync } from 'node:child_process'
import nodePath from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { processPlace, processStart } from './process.js'

afterEach(() => {
  vi.restoreAllMocks()
  vi.resetModules()
  vi.doUnmock('node:path')
})

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
  const on = (platform: NodeJS.Platform) => vi.spyOn(process, 'platform', 'get').mockReturnValue(platform)
  const ended = () => spawnSync(process.execPath, ['-e', '']).pid

  test.each(['win32', 'linux'] as const)('on %s: one that is there, and one that has ended', (platform) => {
    on(platform)
    expect(processStart(process.pid)).toEqual(platform === 'win32' ? '' : expect.any(String))
    expect(processStart(ended())).toBeNull()
  })

  test('the place of a process has a host, with or without /proc', () => {
    expect(processPlace().host).not.toBe('')
  })
})
