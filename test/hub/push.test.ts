import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import type { IftConfig } from '@ift/core'
import { plugin as hub, pushAdapter, type PushRequest } from '@ift/hub'
import { plugin as cpu } from '@ift/kernels-cpu'
import { plugin as llama } from '@ift/model-llama'
import { plugin as lora } from '@ift/peft-lora'
import { FakeHub } from '../../packages/core/src/source/fake-hub.fixture.js'
import { quickstart } from '../fixture/files.js'
import { quickstartConfig } from '../fixture/quickstart.js'
import { sessionsIn, trainsIn } from '../fixture/session.js'

const dir = mkdtempSync(join(tmpdir(), 'ift-push-'))
const plugins = [cpu, llama, lora, hub]
const config: IftConfig = {
  ...quickstartConfig,
  ...{ weights: './base', initialize: false, device: 'cpu', threads: 1, output: 'trained' },
  train: { ...quickstartConfig.train, maxSteps: 2 },
}
const at = (...path: string[]) => join(dir, ...path)
const notes: string[] = []
const push = (request: Partial<PushRequest> = {}) =>
  pushAdapter(
    { cwd: dir, config: { ...config, data: [] }, plugins },
    { repo: 'me/tuned', adapter: 'run', retryDelayMs: 1, ...request },
    (note) => notes.push(note),
  )

const fake = new FakeHub()
beforeAll(async () => {
  cpSync(quickstart('model'), at('base'), { recursive: true })
  await trainsIn(sessionsIn(dir, plugins))(config)
  await fake.start()
})
afterAll(async () => {
  await fake.stop()
  rmSync(dir, { recursive: true })
})
beforeEach(() => {
  rmSync(at('run'), { recursive: true, force: true })
  cpSync(at('trained'), at('run'), { recursive: true })
  fake.repos.clear()
  fake.writes.commits.length = 0
  fake.writes.objects.clear()
  fake.requests.length = 0
  fake.token = 'token-of-another-form'
  fake.interfere = () => false
  notes.length = 0
  vi.stubEnv('HF_ENDPOINT', fake.url)
  vi.stubEnv('HF_TOKEN', fake.token)
  vi.stubEnv('HF_HUB_OFFLINE', '')
})
afterEach(() => {
  vi.unstubAllEnvs()
})

const adapterFiles = [
  ...['README.md', 'adapter_config.json', 'adapter_model.safetensors', 'ift.json', 'loss.svg'],
  ...['tokenizer.json', 'tokenizer_config.json'],
]

describe('a push', () => {
  test('is one commit of a private repository, with a tag for the run, and holds the adapter alone', async () => {
    mkdirSync(at('run/adapter/checkpoints'))
    writeFileSync(at('run/adapter/rows.jsonl'), '{}\n')
    writeFileSync(at('run/adapter/optimizer.safetensors'), 'state')
    const { published, tag, left } = await push()
    expect(fake.writes.commits).toEqual([
      { id: published!.commit, revision: 'main', paths: expect.arrayContaining(adapterFiles) as string[] },
    ])
    const repo = fake.repos.get('me/tuned')!
    expect(Object.keys(repo.files).sort()).toEqual(fake.writes.commits[0]!.paths)
    expect(left).toEqual(['checkpoints/', 'hashes.json', 'optimizer.safetensors', 'rows.jsonl'])
    expect(repo).toMatchObject({
      private: true,
      large: ['adapter_model.safetensors'],
      revisions: { [tag]: repo.commit },
    })
    expect(tag).toMatch(/^run-\d{8}T\d{6}Z-[0-9a-f]{8}$/)
    expect(published).toMatchObject({ isNew: true, url: `${fake.url}/me/tuned` })
    for (const name of ['adapter_model.safetensors', 'tokenizer.json'])
      expect(Buffer.compare(repo.files[name]!, readFileSync(at('run/adapter', name))), name).toBe(0)
    // The card stands beside the adapter as it was pushed, and says where it is.
    expect(readFileSync(at('run/adapter/README.md'), 'utf8')).toBe(repo.files['README.md']!.toString())
    expect(repo.files['README.md']!.toString()).toContain('npx ift chat --adapter me/tuned')
  })

  test('goes once more to the same place, and moves the tag of the run', async () => {
    const first = await push({ isPublic: true })
    expect(fake.repos.get('me/tuned')!.private).toBe(false)
    const second = await push({ isPublic: true, title: 'Another title' })
    expect(second.tag).toBe(first.tag)
    expect(second.published).toMatchObject({ isNew: false })
    expect(fake.repos.get('me/tuned')!.revisions).toEqual({ [first.tag]: second.published!.commit })
    // What is there already is not sent again.
    expect(fake.requests.filter(({ method }) => method === 'PUT')).toHaveLength(1)
  })

  test('that is not to be seen does not go where everybody sees it', async () => {
    await push({ isPublic: true })
    await expect(push()).rejects.toMatchObject({
      code: 'IFT_HUB_REFUSED',
      hint: expect.stringContaining('--public') as string,
    })
    expect(fake.writes.commits).toHaveLength(1)
  })

  test('in a dry run is a list: nothing is written or sent', async () => {
    const before = readFileSync(at('run/adapter/README.md'), 'utf8')
    const { files, published } = await push({ dryRun: true })
    expect(published).toBeNull()
    expect(files.map(({ name }) => name)).toEqual(expect.arrayContaining(adapterFiles))
    expect(files.find(({ name }) => name === 'adapter_model.safetensors')!.bytes).toBe(
      readFileSync(at('run/adapter/adapter_model.safetensors')).length,
    )
    expect(fake.requests).toEqual([])
    expect(readFileSync(at('run/adapter/README.md'), 'utf8')).toBe(before)
    expect(existsSync(at('run/adapter/loss.svg'))).toBe(false)
  })

  test('tells others the base by its name, not by where it lay', async () => {
    await push({ base: 'org/base' })
    const settings = fake.repos.get('me/tuned')!.files['adapter_config.json']!.toString()
    expect(JSON.parse(settings)).toMatchObject({ base_model_name_or_path: 'org/base', peft_type: 'LORA' })
    expect(readFileSync(at('run/adapter/adapter_config.json'), 'utf8')).toContain('"./base"')
    await push()
    expect(JSON.parse(fake.repos.get('me/tuned')!.files['adapter_config.json']!.toString())).toMatchObject({
      base_model_name_or_path: 'base',
    })
    expect(notes).toContainEqual(expect.stringContaining('--base org/name'))
  })

  test('leaves a card that somebody has edited as it is, and holds it to the licences', async () => {
    const path = at('run/adapter/README.md')
    const text = `---\nlicense: mit\n---\n\nMine.\n`
    writeFileSync(path, text)
    await push()
    expect(fake.repos.get('me/tuned')!.files['README.md']!.toString()).toBe(text)
    expect(readFileSync(path, 'utf8')).toBe(text)
    const manifest = JSON.parse(readFileSync(at('run/manifest.json'), 'utf8')) as {
      mixture: { name: string }[]
    }
    const licenses = { [manifest.mixture[0]!.name]: 'CC-BY-NC-4.0' }
    writeFileSync(at('run/manifest.json'), JSON.stringify({ ...manifest, licenses }))
    await expect(push()).rejects.toMatchObject({ code: 'IFT_CARD_LICENSE' })
  })
})

describe('secrets', () => {
  test.each([
    ['tokenizer_config.json', `\n{"name": "${homedir()}/models/x"}`],
    ['README.md', `\n\nhf_${'a'.repeat(34)}\n`],
    ['ift.json', '\n"token-of-another-form"'],
  ])('in %s end a push, with file and line', async (name, text) => {
    const path = at('run/adapter', name)
    appendFileSync(path, text)
    const lines = readFileSync(path, 'utf8').split('\n')
    const line = lines.findIndex((one) => /models\/x|hf_a|another-form/.test(one)) + 1
    await expect(push()).rejects.toMatchObject({
      code: 'IFT_HUB_SECRETS',
      message: expect.stringContaining(`${name}:${line}: `) as string,
      hint: expect.stringContaining(`--allow ${name}:${line}`) as string,
    })
    await expect(push()).rejects.not.toThrow(text.trim())
    expect(fake.requests).toEqual([])
    await push({ dryRun: true, allow: [`${name}:${line}`] })
  })

  test('in the header of the weights are found', async () => {
    const header = Buffer.from(JSON.stringify({ __metadata__: { from: '/home/ada/run' } }))
    const length = Buffer.alloc(8)
    length.writeBigUInt64LE(BigInt(header.length))
    writeFileSync(at('run/adapter/adapter_model.safetensors'), Buffer.concat([length, header]))
    await expect(push()).rejects.toThrow('adapter_model.safetensors:1: a path of a home folder')
  })
})

describe('a hub', () => {
  test('without a token, and offline, is not asked', async () => {
    vi.stubEnv('HF_TOKEN', '')
    vi.stubEnv('HF_HUB_DISABLE_IMPLICIT_TOKEN', '1')
    await expect(push()).rejects.toMatchObject({
      code: 'IFT_HUB_REFUSED',
      hint: expect.stringContaining('HF_TOKEN') as string,
    })
    vi.stubEnv('HF_HUB_OFFLINE', '1')
    await expect(push()).rejects.toMatchObject({ code: 'IFT_SOURCE_OFFLINE' })
    expect(fake.requests).toEqual([])
  })

  test('that does not know the token says so', async () => {
    vi.stubEnv('HF_TOKEN', 'wrong')
    await expect(push()).rejects.toMatchObject({
      code: 'IFT_HUB_REFUSED',
      message: expect.stringContaining('HTTP 401') as string,
      hint: expect.stringContaining('settings/tokens') as string,
    })
  })

  test('that is busy is asked again; the commit goes out once', async () => {
    let busy = 3
    fake.interfere = ({ path }, response) => {
      if (!path.includes('/preupload/') || busy-- <= 0) return false
      response.writeHead(503, { 'retry-after': '0' }).end()
      return true
    }
    await push()
    expect(fake.writes.commits).toHaveLength(1)
  })

  test('that is lost at the commit is not asked again: it may have been made', async () => {
    fake.interfere = ({ path }, response) => {
      if (!path.includes('/commit/')) return false
      response.destroy()
      return true
    }
    await expect(push()).rejects.toMatchObject({
      code: 'IFT_SOURCE_NETWORK',
      hint: expect.stringContaining('See whether it arrived') as string,
    })
    expect(fake.requests.filter(({ path }) => path.includes('/commit/'))).toHaveLength(1)
  })

  test('that answers a page without end is not read to it', async () => {
    fake.interfere = ({ path }, response) => {
      if (!path.includes('/preupload/')) return false
      response.writeHead(200, { 'content-type': 'application/json' })
      const part = Buffer.alloc(1 << 20, 'a')
      const more = () => {
        if (!response.destroyed) response.write(part, () => setImmediate(more))
      }
      more()
      return true
    }
    await expect(push()).rejects.toThrow('more than 8388608 bytes')
  })

  test('gets the token, and where it stores large files does not', async () => {
    const seen: IncomingMessage['headers'][] = []
    const storage = createServer((request: IncomingMessage, response: ServerResponse) => {
      seen.push(request.headers)
      void fake.writes.store(request, response, request.url!.slice('/lfs/'.length))
    })
    await new Promise<void>((resolve) => storage.listen(0, '127.0.0.1', resolve))
    fake.writes.uploadTo = `http://127.0.0.1:${(storage.address() as AddressInfo).port}`
    try {
      await push()
    } finally {
      fake.writes.uploadTo = null
      storage.close()
      storage.closeAllConnections()
    }
    expect(seen).toHaveLength(1)
    expect(seen[0]).not.toHaveProperty('authorization')
    const toHub = fake.requests.map(({ headers }) => headers.authorization)
    expect(new Set(toHub)).toEqual(new Set(['Bearer token-of-another-form']))
  })
})
