import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FakeHub, gitHash, sha256, type FakeRepo } from './fake-hub.fixture.js'
import { resolveSource } from './resolve.js'
import type { ResolveOptions, SourceProgress } from './types.js'

const commit = 'a'.repeat(40)
const weights = Buffer.alloc(300_000, 'weights of the model ')
const modelFiles = {
  'config.json': Buffer.from('{"model_type":"llama"}'),
  'tokenizer.json': Buffer.from('{"version":"1.0"}'),
  'model.safetensors': weights,
  'pytorch_model.bin': Buffer.from('a pickle'),
  'README.md': Buffer.from('# about'),
  'onnx/model.onnx': Buffer.from('onnx'),
}

let hub: FakeHub
let dir: string
const options = (more: Partial<ResolveOptions> = {}): ResolveOptions => ({
  kind: 'model',
  rootDir: dir,
  cacheDir: join(dir, 'cache'),
  endpoint: hub.url,
  retryDelayMs: 2,
  ...more,
})
const repoDir = () => join(dir, 'cache', 'models--org--name')
const add = (repo: Partial<FakeRepo> = {}) =>
  hub.repos.set('org/name', { commit, files: modelFiles, large: ['model.safetensors'], ...repo })

beforeEach(async () => {
  hub = new FakeHub()
  await hub.start()
  dir = await mkdtemp(join(tmpdir(), 'ift-source-'))
})
afterEach(async () => {
  await hub.stop()
  await rm(dir, { recursive: true, force: true })
})

describe('local sources', () => {
  test('a folder and a file, from the root folder', async () => {
    await mkdir(join(dir, 'm'))
    await writeFile(join(dir, 'm/config.json'), '{}')
    expect(await resolveSource('./m', options())).toEqual({
      dir: join(dir, 'm'),
      files: ['config.json'],
      revision: null,
      id: null,
    })
    expect(await resolveSource('m/config.json', options())).toMatchObject({
      dir: join(dir, 'm'),
      files: ['config.json'],
    })
    expect(hub.requests).toEqual([])
  })

  test('a folder wins over a hub id of the same name', async () => {
    add()
    await mkdir(join(dir, 'org/name'), { recursive: true })
    expect(await resolveSource('org/name', options())).toMatchObject({ id: null })
    expect(await resolveSource('hf:org/name', options())).toMatchObject({ id: 'org/name' })
  })

  test.each([
    ['./absent', 'IFT_SOURCE_NOT_FOUND'],
    ['absent', 'IFT_SOURCE_SPEC'],
    ['org/../name', 'IFT_SOURCE_SPEC'],
    ['org/name@../../x', 'IFT_SOURCE_SPEC'],
    ['org/name@/etc', 'IFT_SOURCE_SPEC'],
    ['a/b/c', 'IFT_SOURCE_SPEC'],
    ['', 'IFT_SOURCE_SPEC'],
  ])('%j is refused', async (spec, code) => {
    await expect(resolveSource(spec, options())).rejects.toMatchObject({ code })
    expect(hub.requests).toEqual([])
  })
})

describe('fetching from the hub', () => {
  test('only what a model needs, into the cache that Python shares', async () => {
    add()
    const source = await resolveSource('org/name', options())
    expect(source).toEqual({
      dir: join(repoDir(), 'snapshots', commit),
      files: ['config.json', 'model.safetensors', 'tokenizer.json'],
      revision: commit,
      id: 'org/name',
    })
    expect((await readFile(join(source.dir, 'model.safetensors'))).equals(weights)).toBe(true)
    expect(await readlink(join(source.dir, 'model.safetensors'))).toBe(`../../blobs/${sha256(weights)}`)
    expect(await readlink(join(source.dir, 'config.json'))).toBe(
      `../../blobs/${gitHash(modelFiles['config.json'])}`,
    )
    expect(await readFile(join(repoDir(), 'refs/main'), 'utf8')).toBe(commit)
    expect((await readdir(join(repoDir(), 'blobs'))).length).toBe(3)
    expect(hub.downloads.length).toBe(3)
    const tree = JSON.parse(await readFile(join(repoDir(), 'trees', `${commit}.json`), 'utf8')) as unknown
    expect(tree).toMatchObject({
      format_version: 1,
      files: {
        'config.json': { size: 22, blob_id: gitHash(modelFiles['config.json']) },
        'model.safetensors': { size: 300_000, lfs_sha256: sha256(weights), lfs_size: 300_000 },
      },
    })
  })

  test('a second time asks the network nothing', async () => {
    add()
    const first = await resolveSource('org/name', options())
    hub.requests.length = 0
    expect(await resolveSource('org/name', options())).toEqual(first)
    expect(await resolveSource(`org/name@${commit}`, options())).toEqual(first)
    expect(await resolveSource('org/name', options({ offline: true }))).toEqual(first)
    expect(hub.requests).toEqual([])
  })

  test('`refresh` follows a branch, and shares unchanged files', async () => {
    add()
    await resolveSource('org/name', options())
    const next = 'b'.repeat(40)
    add({ commit: next, files: { ...modelFiles, 'config.json': Buffer.from('{"changed":true}') } })
    hub.requests.length = 0
    expect((await resolveSource('org/name', options())).revision).toBe(commit)
    const fresh = await resolveSource('org/name', options({ refresh: true }))
    expect(fresh.revision).toBe(next)
    expect(await readFile(join(fresh.dir, 'config.json'), 'utf8')).toBe('{"changed":true}')
    expect(hub.downloads.map(({ path }) => path.split('/').at(-1))).toEqual(['config.json'])
  })

  test('revisions with slashes, lists of many pages, folders in names', async () => {
    hub.pageSize = 2
    const files = { ...modelFiles, 'data/train 1#?.jsonl': Buffer.from('{}\n') }
    hub.repos.set('org/set', { commit, files, revisions: { 'refs/pr/1': commit } })
    const source = await resolveSource(
      'org/set@refs/pr/1',
      options({ kind: 'dataset', patterns: ['data/*.jsonl'] }),
    )
    expect(source.files).toEqual(['data/train 1#?.jsonl'])
    expect(source.dir).toBe(join(dir, 'cache/datasets--org--set/snapshots', commit))
    expect(await readFile(join(source.dir, source.files[0]!), 'utf8')).toBe('{}\n')
    expect(await readlink(join(source.dir, source.files[0]!))).toMatch(/^\.\.\/\.\.\/\.\.\/blobs\//)
    expect(await readFile(join(dir, 'cache/datasets--org--set/refs/refs/pr/1'), 'utf8')).toBe(commit)
    expect(hub.requests.filter(({ path }) => path.includes('/tree/')).length).toBe(4)
  })

  test.each([
    [
      'pickles without safetensors',
      [
        'config.json',
        'pytorch_model-00001-of-00002.bin',
        'pytorch_model-00002-of-00002.bin',
        'pytorch_model.bin.index.json',
        'training_args.bin',
      ],
      [
        'config.json',
        'pytorch_model-00001-of-00002.bin',
        'pytorch_model-00002-of-00002.bin',
        'pytorch_model.bin.index.json',
      ],
    ],
    [
      'shards, not the consolidated copy',
      [
        'config.json',
        'consolidated.safetensors',
        'model-00001-of-00001.safetensors',
        'model.safetensors.index.json',
      ],
      ['config.json', 'model-00001-of-00001.safetensors', 'model.safetensors.index.json'],
    ],
    ['a single GGUF', ['model.Q8_0.gguf', 'README.md'], ['model.Q8_0.gguf']],
  ])('%s', async (_, names, expected) => {
    add({ files: Object.fromEntries(names.map((name) => [name, Buffer.from(name)])), large: [] })
    expect((await resolveSource('org/name', options())).files).toEqual(expected)
  })

  test('an adapter, and patterns', async () => {
    const names = [
      'adapter_config.json',
      'adapter_model.bin',
      'adapter_model.safetensors',
      'README.md',
      'checkpoint-5/optimizer.pt',
    ]
    add({ files: Object.fromEntries(names.map((name) => [name, Buffer.from(name)])), large: [] })
    expect((await resolveSource('org/name', options({ kind: 'adapter' }))).files).toEqual([
      'adapter_config.json',
      'adapter_model.safetensors',
    ])
    expect(
      (await resolveSource('org/name', options({ patterns: ['*.md', 'checkpoint-?/*'] }))).files,
    ).toEqual(['README.md', 'checkpoint-5/optimizer.pt'])
  })

  test('progress reaches the sizes of all files', async () => {
    add()
    const seen: SourceProgress[] = []
    await resolveSource('org/name', options({ onProgress: (event) => seen.push(event) }))
    const total = weights.length + modelFiles['config.json'].length + modelFiles['tokenizer.json'].length
    expect(seen.at(-1)).toMatchObject({ id: 'org/name', totalReceived: total, totalSize: total })
    for (const event of seen) expect(event.received).toBeLessThanOrEqual(event.size)
  })

  test('four files come at the same time', async () => {
    const files = Object.fromEntries(
      Array.from({ length: 9 }, (_, i) => [`part-${i}.jsonl`, Buffer.from(`{"n":${i}}`)]),
    )
    add({ files, large: [] })
    let active = 0
    let most = 0
    hub.interfere = async ({ path }) => {
      if (!path.includes('/resolve/')) return false
      most = Math.max(most, ++active)
      await new Promise((resolve) => setTimeout(resolve, 20))
      active--
      return false
    }
    await resolveSource('org/name', options({ patterns: ['*.jsonl'] }))
    expect(most).toBe(4)
  })
})

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

describe('offline', () => {
  test('says what is missing and asks nobody', async () => {
    add()
    await expect(resolveSource('org/name', options({ offline: true }))).rejects.toMatchObject({
      code: 'IFT_SOURCE_OFFLINE',
    })
    const source = await resolveSource('org/name', options())
    await rm(join(source.dir, 'model.safetensors'))
    hub.requests.length = 0
    await expect(resolveSource('org/name', options({ offline: true }))).rejects.toMatchObject({
      code: 'IFT_SOURCE_OFFLINE',
      message: expect.stringContaining('model.safetensors') as string,
    })
    expect(hub.requests).toEqual([])
    // The blob is still there: only the link is made again.
    await resolveSource('org/name', options())
    expect(hub.downloads).toEqual([])
  })

  /** As huggingface_hub leaves it: no list of files. */
  const pythonCache = async (files: Record<string, string>) => {
    await mkdir(join(repoDir(), 'refs'), { recursive: true })
    await mkdir(join(repoDir(), 'blobs'))
    await mkdir(join(repoDir(), 'snapshots', commit), { recursive: true })
    await writeFile(join(repoDir(), 'refs/main'), commit)
    for (const [name, content] of Object.entries(files)) {
      const etag = gitHash(Buffer.from(content))
      await writeFile(join(repoDir(), 'blobs', etag), content)
      await symlink(`../../blobs/${etag}`, join(repoDir(), 'snapshots', commit, name))
    }
  }

  test('uses what Python cached, when it is complete', async () => {
    await pythonCache({ 'config.json': '{}', 'model.safetensors': 'w', 'tokenizer.json': '{}' })
    const source = await resolveSource('org/name', options())
    expect(source.files).toEqual(['config.json', 'model.safetensors', 'tokenizer.json'])
    expect(hub.requests).toEqual([])
  })

  test('reads the list of files that Python cached, and ignores one of another version', async () => {
    await pythonCache({ 'config.json': '{}', 'model.safetensors': 'w' })
    const info = (content: string) => ({ size: content.length, blob_id: gitHash(Buffer.from(content)) })
    const files = { 'config.json': info('{}'), 'model.safetensors': info('w'), 'README.md': info('#') }
    await mkdir(join(repoDir(), 'trees'))
    const tree = join(repoDir(), 'trees', `${commit}.json`)
    await writeFile(tree, JSON.stringify({ format_version: 1, files }))
    // Nothing more is wanted: this repository has no tokenizer.
    expect((await resolveSource('org/name', options({ offline: true }))).files).toEqual([
      'config.json',
      'model.safetensors',
    ])
    for (const damaged of ['{"format_version":9}', '{', '[]', '{"format_version":1,"files":{"../x":{}}}']) {
      await writeFile(tree, damaged)
      await expect(resolveSource('org/name', options({ offline: true }))).rejects.toMatchObject({
        code: 'IFT_SOURCE_OFFLINE',
        message: expect.stringContaining('tokenizer.json') as string,
      })
    }
  })

  test('sees a missing shard, a missing tokenizer and a dangling link', async () => {
    const index = JSON.stringify({
      weight_map: { a: 'model-00001-of-00002.safetensors', b: 'model-00002-of-00002.safetensors' },
    })
    await pythonCache({
      'config.json': '{}',
      'model.safetensors.index.json': index,
      'model-00001-of-00002.safetensors': 'w',
    })
    await symlink('../../blobs/nothing', join(repoDir(), 'snapshots', commit, 'tokenizer.json'))
    await expect(resolveSource('org/name', options({ offline: true }))).rejects.toMatchObject({
      code: 'IFT_SOURCE_OFFLINE',
      message: expect.stringMatching(/model-00002-of-00002\.safetensors.*tokenizer\.json/) as string,
    })
  })
})

test('two processes at once fetch every file once', async () => {
  add()
  hub.interfere = async ({ path }) => {
    if (path.includes('/resolve/')) await new Promise((resolve) => setTimeout(resolve, 150))
    return false
  }
  const jiti = fileURLToPath(import.meta.resolve('jiti'))
  const script = `
    import { createJiti } from ${JSON.stringify(jiti)}
    const jiti = createJiti(${JSON.stringify(import.meta.url)}, { alias: ${JSON.stringify({ '@ift/tensor': fileURLToPath(new URL('../../../tensor/src/errors.ts', import.meta.url)) })} })
    const { resolveSource } = await jiti.import(${JSON.stringify(fileURLToPath(new URL('./resolve.ts', import.meta.url)))})
    const source = await resolveSource('org/name', ${JSON.stringify(options())})
    console.log(source.files.join(' '))`
  const run = () => promisify(execFile)(process.execPath, ['--input-type=module', '-e', script])
  const results = await Promise.all([run(), run(), run()])
  for (const { stdout } of results) expect(stdout.trim()).toBe('config.json model.safetensors tokenizer.json')
  expect(hub.downloads.length).toBe(3)
  expect((await readdir(join(repoDir(), 'blobs'))).length).toBe(3)
  expect(await readdir(join(dir, 'cache/.locks/models--org--name'))).toEqual([])
})

test('a lock that a killed process left ends by itself', async () => {
  add()
  const lock = join(dir, 'cache/.locks/models--org--name', `${sha256(weights)}.ift.lock`)
  await mkdir(dirname(lock), { recursive: true })
  await writeFile(lock, '')
  const long = new Date(Date.now() - 60_000)
  await utimes(lock, long, long)
  expect((await resolveSource('org/name', options())).files.length).toBe(3)
})
