// Several adapters over one base, by the names that clients ask for; a folder of them, loaded and taken off while the server answers.
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Ift, IftConfig } from '@ift/core'
import { plugin as cpu } from '@ift/kernels-cpu'
import { plugin as llama } from '@ift/model-llama'
import { plugin as lora } from '@ift/peft-lora'
import { createServer, type ServeOptions } from '@ift/serve'
import { quickstart } from '../fixture/files.js'
import { quickstartConfig } from '../fixture/quickstart.js'
import { sessionsIn, trainsIn } from '../fixture/session.js'

const dir = mkdtempSync(join(tmpdir(), 'ift-serve-adapters-'))
const session = sessionsIn(dir, [cpu, llama, lora])
const folder = join(dir, 'all')
/** Texts of each model, asked alone. */
const alone = new Map<string, string>()

beforeAll(async () => {
  const base: IftConfig = { ...quickstartConfig, initialize: false, device: 'cpu', threads: 2 }
  const train = trainsIn(session)
  for (const [name, learningRate] of [
    ['a', 0.05],
    ['b', 0.08],
  ] as const) {
    await train({ ...base, output: name, train: { ...base.train!, maxSteps: 2, saveEvery: 0, learningRate } })
    cpSync(join(dir, name, 'adapter'), join(folder, name), { recursive: true })
  }
})
afterAll(() => {
  rmSync(dir, { recursive: true })
})

const prompt = 'Tom has 3 apples'

/** A server over these adapters of the folder, and what asks it. */
async function serving(
  names: readonly string[],
  options: ServeOptions,
  use: (client: ReturnType<typeof clientOf>) => Promise<void>,
): Promise<void> {
  const config: IftConfig = {
    ...{ weights: quickstart('model'), template: 'alpaca', device: 'cpu', dtype: 'f32', threads: 2 },
    adapter: Object.fromEntries(names.map((name) => [name, join(folder, name)])),
  }
  await session(config, async (ift) => {
    const client = clientOf(ift, options)
    await client.server.ready
    await use(client)
    await client.server.close()
  })
}

function clientOf(ift: Ift, options: ServeOptions) {
  const lines: string[] = []
  const server = createServer(ift, { name: 'tiny', log: (line) => lines.push(line), ...options })
  const post = (path: string, body: object, signal?: AbortSignal) =>
    server.fetch(
      new Request(`http://localhost${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        ...(signal && { signal }),
      }),
    )
  const change = async (path: string, name: string, more: object = {}) => {
    const reply = await post(`/v1/${path}_lora_adapter`, { lora_name: name, ...more })
    const body = (await reply.json()) as { error?: { code: string } }
    return reply.status === 200 ? body : [reply.status, body.error!.code]
  }
  return {
    ...{ server, lines, post },
    ask: async (model: string, more: object = {}) => {
      const reply = await post('/v1/completions', { model, prompt, max_tokens: 12, temperature: 0, ...more })
      if (reply.status !== 200) return reply.status
      const { model: named, choices } = (await reply.json()) as { model: string; choices: [{ text: string }] }
      expect([reply.headers.get('x-ift-model'), named]).toEqual([model || 'tiny', model || 'tiny'])
      return choices[0].text
    },
    models: async () => {
      const listed = await server.fetch(new Request('http://localhost/v1/models'))
      const { data } = (await listed.json()) as { data: { id: string; parent?: string }[] }
      return data.map(({ id, parent }) => [id, parent])
    },
    load: (name: string, more?: object) => change('load', name, more),
    unload: (name: string, more?: object) => change('unload', name, more),
  }
}

test('a request names the base or an adapter; the answers are those of each alone', async () => {
  await serving(['a', 'b'], {}, async ({ ask, models, load }) => {
    expect(await models()).toEqual([
      ['tiny', undefined],
      ['a', 'tiny'],
      ['b', 'tiny'],
    ])
    const names = ['tiny', 'a', 'b', '']
    for (const name of names) alone.set(name, (await ask(name)) as string)
    const texts = [...alone.values()]
    expect(new Set(texts).size).toBe(3)
    expect(alone.get('')).toBe(alone.get('tiny'))
    expect(await Promise.all(names.map((name) => ask(name)))).toEqual(texts)
    expect(await load('a')).toEqual([404, 'not_found'])
  })
})

describe('a folder of adapters', () => {
  test('one is loaded and taken off under answers of the others, which stay the same to the last bit', async () => {
    await serving(['a'], { adapters: folder }, async ({ ask, models, load, unload, post }) => {
      const long = { max_tokens: 96, ignore_eos: true, logprobs: 3, temperature: 0.8, seed: 5 }
      const answer = async (model: string) => {
        const reply = await post('/v1/completions', { model, prompt, ...long })
        const { choices } = (await reply.json()) as { choices: object }
        return choices
      }
      const before = await Promise.all(['tiny', 'a'].map(answer))
      const under = ['tiny', 'a'].map(answer)
      expect(await ask('b')).toBe(404)
      expect(await load('b')).toMatchObject({ id: 'b', object: 'model', parent: 'tiny', template: 'alpaca' })
      expect(await models()).toHaveLength(3)
      expect(await ask('b')).toBe(alone.get('b'))
      expect(await load('b')).toEqual([400, 'invalid_value'])
      expect(await unload('b')).toEqual({ id: 'b', object: 'model', deleted: true })
      expect(await ask('b')).toBe(404)
      expect(await Promise.all(under)).toEqual(before)
      // Another one under the name: nothing of the first is left, in the cache neither.
      rmSync(join(folder, 'b'), { recursive: true })
      cpSync(join(folder, 'a'), join(folder, 'b'), { recursive: true })
      await load('b')
      expect(await ask('b')).toBe(alone.get('a'))
      rmSync(join(folder, 'b'), { recursive: true })
      cpSync(join(dir, 'b/adapter'), join(folder, 'b'), { recursive: true })
    })
  })

  test('one that is used is taken off when its answers have ended; until then it is no model for others', async () => {
    await serving(['a', 'b'], { adapters: folder }, async ({ ask, models, load, unload, server }) => {
      let isOver = false
      const answer = ask('a', { max_tokens: 2000, ignore_eos: true }).then((text) => {
        isOver = true
        return text
      })
      await expect
        .poll(async () => await (await server.fetch(new Request('http://localhost/metrics'))).text())
        .toContain('ift_num_requests_running 1')
      const going = unload('a').then((reply) => [isOver, reply])
      await expect.poll(models).toHaveLength(2)
      expect(await ask('a')).toBe(404)
      expect(await load('a')).toEqual([400, 'invalid_value'])
      expect(await ask('b')).toBe(alone.get('b'))
      expect(await going).toEqual([true, expect.objectContaining({ deleted: true })])
      expect(String(await answer).startsWith(String(alone.get('a')))).toBe(true)
      expect(await unload('a')).toEqual([404, 'adapter_not_found'])
      // All of them may go, and come back.
      await unload('b')
      expect(await models()).toEqual([['tiny', undefined]])
      expect(await ask('tiny')).toBe(alone.get('tiny'))
      await Promise.all([load('a'), load('b')])
      expect(await Promise.all(['a', 'b'].map((name) => ask(name)))).toEqual([alone.get('a'), alone.get('b')])
    })
  })

  test('so many at a time, and so many bytes', async () => {
    await serving(['a'], { adapters: folder, maxAdapters: 1 }, async ({ load, unload }) => {
      expect(await load('b')).toEqual([400, 'adapters_full'])
      await unload('a')
      expect(await load('b')).toMatchObject({ id: 'b' })
    })
    await serving(['a'], { adapters: folder, adapterBytes: 1 }, async ({ load, unload }) => {
      expect(await load('b')).toEqual([400, 'adapters_full'])
      await unload('a')
      expect(await load('b')).toMatchObject({ id: 'b' })
    })
  })

  test('names lead nowhere else, and what cannot be loaded leaves everything as it was', async () => {
    mkdirSync(join(dir, 'all-evil'), { recursive: true })
    cpSync(join(folder, 'b'), join(dir, 'all-evil/x'), { recursive: true })
    symlinkSync(join(dir, 'all-evil/x'), join(folder, 'out'))
    cpSync(join(folder, 'b'), join(folder, 'broken'), { recursive: true })
    writeFileSync(join(folder, 'broken/adapter_model.safetensors'), 'nothing')
    cpSync(join(folder, 'b'), join(folder, 'other'), { recursive: true })
    writeFileSync(join(folder, 'other/ift.json'), '{"template": "alpaca", "eos_token_id": [7]}')
    await serving(['a'], { adapters: folder }, async ({ ask, load, unload, lines, models }) => {
      for (const name of [
        'nothing',
        'out',
        '..',
        '../all-evil/x',
        '..%2fall-evil%2fx',
        '/etc',
        'C:\\',
        'base',
        'tiny',
        'x\0',
      ])
        expect(await load(name), name).toEqual([404, 'adapter_not_found'])
      expect(await load('b', { lora_path: join(folder, 'b') })).toEqual([400, 'unsupported_parameter'])
      expect(await load('')).toEqual([400, 'invalid_value'])
      expect(await unload('tiny')).toEqual([404, 'adapter_not_found'])
      for (const [name, why] of [
        ['broken', 'safetensors'],
        ['other', 'to end answers with the tokens 7'],
      ] as const) {
        expect(await load(name), name).toEqual([400, 'adapter_unusable'])
        expect(lines.join('\n')).toContain(why)
      }
      expect(await models()).toHaveLength(2)
      expect(await ask('a')).toBe(alone.get('a'))
      expect(await load('b')).toMatchObject({ id: 'b' })
    })
  })
})

test('what one asks is not found in the cache by those of another salt', async () => {
  await serving(['a'], {}, async ({ post }) => {
    const cached = async (salt?: string) => {
      const text = `${prompt} and buys 4 more. `.repeat(4)
      const reply = await post('/v1/completions', { prompt: text, max_tokens: 1, cache_salt: salt })
      const { usage } = (await reply.json()) as {
        usage: { prompt_tokens_details: { cached_tokens: number } }
      }
      return usage.prompt_tokens_details.cached_tokens
    }
    expect(await cached()).toBe(0)
    expect(await cached()).toBeGreaterThan(15)
    expect(await cached('one')).toBe(0)
    expect(await cached('two')).toBe(0)
    expect(await cached('one')).toBeGreaterThan(15)
  })
})
