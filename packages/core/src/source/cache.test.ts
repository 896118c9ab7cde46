import { mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { gitHash } from './fake-hub.fixture.js'
import { add, commit, hub, options, repoDir, withHub } from './resolve.fixture.js'
import { resolveSource } from './resolve.js'

withHub()

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
