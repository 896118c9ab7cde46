import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { sha256 } from './fake-hub.fixture.js'
import { add, hub, options, repoDir, weights, withHub } from './resolve.fixture.js'
import { resolveSource } from './resolve.js'

withHub()

describe('broken connections', () => {
  /**
   * Sends at most so many bytes of the weights per request, then closes the connection, late enough for them to be read:
   * what fetch has received and not yet handed on is lost with the connection.
   */
  const cutAfter = (bytes: number) => {
    hub.interfere = (request, response, content) => {
      if (!content || !request.path.endsWith('model.safetensors')) return false
      const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0)
      response.writeHead(start > 0 ? 206 : 200, {
        'content-length': content.length - start,
        ...(start > 0 && { 'content-range': `bytes ${start}-${content.length - 1}/${content.length}` }),
      })
      response.write(content.subarray(start, start + bytes), () =>
        setTimeout(() => response.socket?.end(), 40),
      )
      return true
    }
  }

  test('are continued where they ended, more often than attempts, as long as bytes come', async () => {
    add()
    cutAfter(40_000)
    const source = await resolveSource('org/name', options())
    expect((await readFile(join(source.dir, 'model.safetensors'))).equals(weights)).toBe(true)
    const ranges = hub.downloads
      .filter(({ path }) => path.endsWith('.safetensors'))
      .map(({ headers }) => headers.range)
    expect(ranges.length).toBeGreaterThan(6)
    const starts = ranges.map((range) => Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0))
    expect(starts).toEqual([...starts].sort((a, b) => a - b))
    expect(starts.at(-1)).toBeGreaterThan(200_000)
  })

  test('end in an error after five without a byte, and the next run continues', async () => {
    add()
    let sent = 0
    cutAfter(100_000)
    const once = hub.interfere
    hub.interfere = (request, response, content) => {
      if (content && request.path.endsWith('model.safetensors') && sent++ > 0) {
        response.destroy()
        return true
      }
      return once(request, response, content)
    }
    await expect(resolveSource('org/name', options())).rejects.toMatchObject({
      code: 'IFT_SOURCE_NETWORK',
      message: expect.stringContaining('model.safetensors') as string,
    })
    const left = (await readdir(join(repoDir(), 'blobs'))).filter((name) => name.endsWith('.incomplete'))
    expect(left.length).toBe(1)
    await expect(readFile(join(repoDir(), 'refs/main'))).rejects.toThrow()
    hub.interfere = () => false
    hub.requests.length = 0
    const source = await resolveSource('org/name', options())
    expect((await readFile(join(source.dir, 'model.safetensors'))).equals(weights)).toBe(true)
    const [again] = hub.downloads.filter(({ path }) => path.endsWith('.safetensors'))
    expect(again!.headers.range).toMatch(/^bytes=[1-9]\d*-$/)
    expect((await readdir(join(repoDir(), 'blobs'))).filter((name) => name.endsWith('.incomplete'))).toEqual(
      [],
    )
  })

  test('silence counts as broken', async () => {
    add()
    let silent = 2
    hub.interfere = ({ path }) => path.endsWith('model.safetensors') && silent-- > 0
    await resolveSource('org/name', options({ idleTimeoutMs: 60 }))
    expect(silent).toBe(-1)
  })

  test('busy servers are asked again; the API too', async () => {
    add()
    let busy = 3
    hub.interfere = (_, response) => {
      if (busy-- <= 0) return false
      response.writeHead(busy === 2 ? 429 : 503, { 'retry-after': '0' }).end()
      return true
    }
    expect((await resolveSource('org/name', options())).files.length).toBe(3)
  })

  test('a part that Python left is continued; one with other content is replaced', async () => {
    add()
    const part = join(repoDir(), 'blobs', `${sha256(weights)}.incomplete`)
    await mkdir(dirname(part), { recursive: true })
    await writeFile(part, weights.subarray(0, 200_000))
    await resolveSource('org/name', options())
    const ranges = () =>
      hub.downloads.filter(({ path }) => path.endsWith('.safetensors')).map(({ headers }) => headers.range)
    expect(ranges()).toEqual(['bytes=200000-'])
    await rm(repoDir(), { recursive: true })
    hub.requests.length = 0
    await mkdir(dirname(part), { recursive: true })
    await writeFile(part, randomBytes(200_000))
    const source = await resolveSource('org/name', options())
    expect(ranges()).toEqual(['bytes=200000-', undefined])
    expect((await readFile(join(source.dir, 'model.safetensors'))).equals(weights)).toBe(true)
  })

  test('a server that cannot continue sends the whole file again', async () => {
    add()
    const part = join(repoDir(), 'blobs', `${sha256(weights)}.incomplete`)
    await mkdir(dirname(part), { recursive: true })
    await writeFile(part, weights.subarray(0, 1000))
    hub.interfere = (_, response, content) => {
      if (!content) return false
      response.writeHead(200, { 'content-length': content.length }).end(content)
      return true
    }
    const source = await resolveSource('org/name', options())
    expect((await readFile(join(source.dir, 'model.safetensors'))).equals(weights)).toBe(true)
  })

  test('a stop from outside ends it and keeps what came', async () => {
    add()
    const controller = new AbortController()
    cutAfter(50_000)
    const once = hub.interfere
    hub.interfere = (request, response, content) => {
      const done = once(request, response, content)
      if (done) setTimeout(() => controller.abort(new Error('stopped')), 2)
      return done
    }
    await expect(resolveSource('org/name', options({ signal: controller.signal }))).rejects.toThrow('stopped')
    const left = await readdir(join(repoDir(), 'blobs'))
    expect(left.filter((name) => name === sha256(weights))).toEqual([])
  })
})

describe('content that is not what the list says', () => {
  test.each([
    ['sha256', 'model.safetensors', { oid: 'c'.repeat(64) }],
    ['git hash', 'config.json', { oid: 'd'.repeat(40) }],
    ['length', 'model.safetensors', { size: 1000 }],
  ])('%s', async (_, name, lie) => {
    add({ lies: { [name]: lie } })
    await expect(resolveSource('org/name', options())).rejects.toMatchObject({
      code: 'IFT_SOURCE_HASH',
      message: expect.stringContaining(name) as string,
    })
    const blobs = await readdir(join(repoDir(), 'blobs'))
    expect(blobs.filter((blob) => blob.startsWith('oid' in lie ? lie.oid : sha256(weights)))).toEqual([])
  })

  test.each(['../evil', '/etc/evil', 'a/../../evil', 'a\\..\\evil', 'C:/evil', 'a//b', '.'])(
    'the name %j is refused',
    async (path) => {
      add({ lies: { 'config.json': { path } } })
      await expect(resolveSource('org/name', options({ patterns: ['*'] }))).rejects.toMatchObject({
        code: 'IFT_SOURCE_UNSAFE',
      })
      expect(hub.downloads).toEqual([])
    },
  )

  test('a hash that is a path is refused', async () => {
    add({ lies: { 'config.json': { oid: '../../../evil' } } })
    await expect(resolveSource('org/name', options())).rejects.toMatchObject({ code: 'IFT_SOURCE_NETWORK' })
  })

  test('more than the disk holds is refused before the first byte', async () => {
    add({ lies: { 'model.safetensors': { size: 1e15 } } })
    await expect(resolveSource('org/name', options())).rejects.toMatchObject({ code: 'IFT_DISK_FULL' })
    expect(hub.downloads).toEqual([])
  })

  test('answers that are not the hub’s', async () => {
    add()
    hub.interfere = (_, response) => {
      response.writeHead(200).end('<html>Please log in to the network</html>')
      return true
    }
    await expect(resolveSource('org/name', options())).rejects.toMatchObject({ code: 'IFT_SOURCE_NETWORK' })
  })
})
