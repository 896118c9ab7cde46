import { execFileSync } from 'node:child_process'
import { truncateSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { hubSettings } from './env.js'

test('the defaults are those of huggingface_hub', () => {
  expect(hubSettings({}, '/home/u')).toEqual({
    endpoint: 'https://huggingface.co',
    token: null,
    cacheDir: '/home/u/.cache/huggingface/hub',
    offline: false,
  })
})

test.each([
  [{ HF_HUB_CACHE: '/a', HUGGINGFACE_HUB_CACHE: '/b', HF_HOME: '/c' }, '/a'],
  [{ HUGGINGFACE_HUB_CACHE: '/b', HF_HOME: '/c' }, '/b'],
  [{ HF_HOME: '/c', XDG_CACHE_HOME: '/d' }, '/c/hub'],
  [{ XDG_CACHE_HOME: '/d' }, '/d/huggingface/hub'],
  [{ HF_HOME: '~/x' }, '/home/u/x/hub'],
  [{ HF_HOME: '$DISK/${SUB}', DISK: '/disk', SUB: 's' }, '/disk/s/hub'],
])('the cache of %j is %s', (env, cacheDir) => {
  expect(hubSettings(env, '/home/u').cacheDir).toBe(cacheDir)
})

test('endpoint and offline', () => {
  expect(hubSettings({ HF_ENDPOINT: 'https://mirror.example/' }).endpoint).toBe('https://mirror.example')
  for (const value of ['1', 'true', 'YES', 'On'])
    expect(hubSettings({ HF_HUB_OFFLINE: value }).offline).toBe(true)
  for (const value of ['0', '', 'false']) expect(hubSettings({ HF_HUB_OFFLINE: value }).offline).toBe(false)
  expect(hubSettings({ TRANSFORMERS_OFFLINE: '1' }).offline).toBe(true)
})

test('the token of the variable, then of the file that logging in wrote', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'ift-env-'))
  try {
    await writeFile(join(dir, 'token'), 'from-file\n')
    await writeFile(join(dir, 'other'), 'from-other')
    expect(hubSettings({ HF_HOME: dir }).token).toBe('from-file')
    expect(hubSettings({ HF_HOME: dir, HF_TOKEN_PATH: join(dir, 'other') }).token).toBe('from-other')
    expect(hubSettings({ HF_HOME: dir, HF_TOKEN: ' given ' }).token).toBe('given')
    expect(hubSettings({ HF_HOME: dir, HF_HUB_DISABLE_IMPLICIT_TOKEN: '1' }).token).toBeNull()
  } finally {
    await rm(dir, { recursive: true })
  }
})

describe('a file that holds no token', () => {
  let dir: string
  beforeEach(async () => (dir = await mkdtemp(join(tmpdir(), 'ift-env-'))))
  afterEach(() => rm(dir, { recursive: true }))
  const tokenOf = () => hubSettings({ HF_HOME: dir }).token

  test.each<[string, (path: string) => unknown, RegExp]>([
    ['a page that was saved in its place', (path) => writeFile(path, '<html>Log in</html>'), /one token/],
    ['two lines', (path) => writeFile(path, 'hf_abc\nhf_def\n'), /one token/],
    ['bytes that are no text', (path) => writeFile(path, Buffer.from([0x68, 0xff, 0x00])), /one token/],
    [
      'a sparse file of 100 GB',
      async (path) => {
        await writeFile(path, '')
        truncateSync(path, 100 * 2 ** 30)
      },
      /at most 16384 bytes, found 107374182400/,
    ],
    ['a folder', (path) => mkdir(path), /found a folder/],
    ...(process.platform === 'win32'
      ? []
      : [
          ['a named pipe', (path: string) => execFileSync('mkfifo', [path]), /found a named pipe/] satisfies [
            string,
            (path: string) => unknown,
            RegExp,
          ],
        ]),
  ])('%s', async (_, make, message) => {
    await make(join(dir, 'token'))
    expect(tokenOf).toThrow(
      expect.objectContaining({
        code: 'IFT_FILE_CORRUPT',
        message: expect.stringMatching(message) as string,
      }) as Error,
    )
    expect(tokenOf).toThrow(join(dir, 'token'))
  })

  test('an empty one is no login', async () => {
    await writeFile(join(dir, 'token'), '\n')
    expect(tokenOf()).toBeNull()
  })
})
