import { mkdir, readdir, readFile, readlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { gitHash, sha256 } from './fake-hub.fixture.js'
import { add, commit, dir, hub, modelFiles, options, repoDir, weights, withHub } from './resolve.fixture.js'
import { missingFrom, selectFiles, selectPaths } from './select.js'
import { resolveSource } from './resolve.js'
import type { SourceProgress } from './types.js'

withHub()

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

  test.each<[string, string[], string[]]>([
    [
      "AdapterHub's, without its head",
      [
        'adapter_config.json',
        'head_config.json',
        'pytorch_adapter.bin',
        'pytorch_model_head.bin',
        'README.md',
      ],
      ['adapter_config.json', 'head_config.json', 'pytorch_adapter.bin'],
    ],
    [
      "AdapterHub's in safetensors",
      ['adapter.safetensors', 'adapter_config.json', 'model_head.safetensors', 'pytorch_adapter.bin'],
      ['adapter.safetensors', 'adapter_config.json'],
    ],
    [
      "the prefix of ChatGLM's P-tuning v2",
      ['config.json', 'pytorch_model.bin', 'training_args.bin'],
      ['config.json', 'pytorch_model.bin'],
    ],
  ])('an adapter: %s', async (_, names, expected) => {
    add({ files: Object.fromEntries(names.map((name) => [name, Buffer.from(name)])), large: [] })
    const resolve = () => resolveSource('org/name', options({ kind: 'adapter' }))
    expect((await resolve()).files).toEqual(expected)
    // From the cache, which knows no list of all files where another program filled it.
    expect(missingFrom(expected, 'adapter', undefined, [])).toEqual([])
    for (const name of expected.filter((name) => name !== 'head_config.json'))
      expect(
        missingFrom(
          expected.filter((other) => other !== name),
          'adapter',
          undefined,
          [],
        ),
      ).not.toEqual([])
  })

  test('the weights of a model that is named as an adapter are not fetched', () => {
    const file = (path: string, size: number) => ({ path, size, etag: path, blobId: path })
    const repository = (size: number) => [file('config.json', 600), file('pytorch_model.bin', size)]
    const paths = (size: number) =>
      selectFiles(repository(size), 'adapter', undefined).map(({ path }) => path)
    expect(paths(2 ** 31)).toEqual(['config.json', 'pytorch_model.bin'])
    expect(paths(2 ** 33)).toEqual(['config.json'])
  })

  test('no file of an adapter is taken for a model', () => {
    const files = [
      'adapter_config.json',
      'adapter.safetensors',
      'pytorch_adapter.bin',
      'model_head.safetensors',
    ]
    expect(selectPaths(files, 'model', undefined)).toEqual([])
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
