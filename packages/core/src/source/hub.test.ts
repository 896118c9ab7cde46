import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { FakeHub } from './fake-hub.fixture.js'
import { add, commit, hub, modelFiles, options, weights, withHub } from './resolve.fixture.js'
import { resolveSource } from './resolve.js'

withHub()

describe('access', () => {
  test('a missing or private repository', async () => {
    add({ private: true })
    await expect(resolveSource('org/name', options())).rejects.toMatchObject({
      code: 'IFT_SOURCE_NOT_FOUND',
      hint: expect.stringContaining('HF_TOKEN') as string,
    })
    hub.token = 'secret'
    expect((await resolveSource('org/name', options({ token: 'secret' }))).files.length).toBe(3)
    await expect(resolveSource('org/other', options({ token: 'secret' }))).rejects.toMatchObject({
      code: 'IFT_SOURCE_NOT_FOUND',
    })
  })

  test('a gated repository says where to accept its terms', async () => {
    add({ gated: true })
    await expect(resolveSource('org/name', options())).rejects.toMatchObject({
      code: 'IFT_SOURCE_GATED',
      hint: expect.stringContaining(`${hub.url}/org/name`) as string,
    })
  })

  test('an unknown revision or file', async () => {
    add()
    await expect(resolveSource('org/name@v9', options())).rejects.toMatchObject({
      code: 'IFT_SOURCE_NOT_FOUND',
      message: expect.stringContaining('v9') as string,
    })
    await expect(
      resolveSource('org/name', options({ patterns: ['config.json', 'absent.json'] })),
    ).rejects.toMatchObject({
      code: 'IFT_SOURCE_NOT_FOUND',
      message: expect.stringContaining('absent.json') as string,
    })
  })

  test('the token does not follow a redirect to another host', async () => {
    add()
    const storage = new FakeHub()
    await storage.start()
    try {
      storage.repos.set('org/name', { commit, files: modelFiles })
      hub.redirectTo = storage.url
      const source = await resolveSource('org/name', options({ token: 'secret' }))
      expect((await readFile(join(source.dir, 'model.safetensors'))).equals(weights)).toBe(true)
      expect(storage.requests.map(({ headers }) => headers.authorization)).toEqual([undefined])
      expect(hub.requests.every(({ headers }) => headers.authorization === 'Bearer secret')).toBe(true)
    } finally {
      await storage.stop()
    }
  })

  test('no list of files may go on at another host', async () => {
    add()
    hub.interfere = ({ path }, response) => {
      if (!path.includes('/tree/')) return false
      response.writeHead(200, { link: '<http://evil.invalid/next>; rel="next"' }).end('[]')
      return true
    }
    await expect(resolveSource('org/name', options({ token: 'secret' }))).rejects.toMatchObject({
      code: 'IFT_SOURCE_NETWORK',
    })
  })

  test('redirects without end', async () => {
    add()
    hub.interfere = ({ path }, response) => {
      if (!path.includes('/resolve/')) return false
      response.writeHead(302, { location: path }).end()
      return true
    }
    await expect(resolveSource('org/name', options())).rejects.toMatchObject({ code: 'IFT_SOURCE_NETWORK' })
  })
})
