// Several adapters over one base, by the names that clients ask for.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { IftConfig } from '@ift/core'
import { plugin as cpu } from '@ift/kernels-cpu'
import { plugin as llama } from '@ift/model-llama'
import { plugin as lora } from '@ift/peft-lora'
import { createServer } from '@ift/serve'
import { quickstart } from '../fixture/files.js'
import { quickstartConfig } from '../fixture/quickstart.js'
import { sessionsIn, trainsIn } from '../fixture/session.js'

const dir = mkdtempSync(join(tmpdir(), 'ift-serve-adapters-'))
afterAll(() => {
  rmSync(dir, { recursive: true })
})
const session = sessionsIn(dir, [cpu, llama, lora])
const base: IftConfig = { ...quickstartConfig, initialize: false, device: 'cpu', threads: 2 }

test('a request names the base or an adapter; the answers are those of each alone', async () => {
  const train = trainsIn(session)
  for (const [name, learningRate] of [
    ['a', 0.05],
    ['b', 0.08],
  ] as const)
    await train({ ...base, output: name, train: { ...base.train!, maxSteps: 2, saveEvery: 0, learningRate } })
  const config: IftConfig = {
    ...{ weights: quickstart('model'), template: 'alpaca', device: 'cpu', dtype: 'f32', threads: 2 },
    adapter: { a: join(dir, 'a/adapter'), b: join(dir, 'b/adapter') },
  }
  await session(config, async (ift) => {
    const server = createServer(ift, { name: 'tiny' })
    await server.ready
    const ask = async (model: string) => {
      const reply = await server.fetch(
        new Request('http://localhost/v1/completions', {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ model, prompt: 'Tom has 3 apples', max_tokens: 12, temperature: 0 }),
        }),
      )
      const { model: named, choices } = (await reply.json()) as { model: string; choices: [{ text: string }] }
      expect([reply.headers.get('x-ift-model'), named]).toEqual([model || 'tiny', model || 'tiny'])
      return choices[0].text
    }
    const listed = await server.fetch(new Request('http://localhost/v1/models'))
    const { data } = (await listed.json()) as { data: { id: string; parent?: string }[] }
    expect(data.map(({ id, parent }) => [id, parent])).toEqual([
      ['tiny', undefined],
      ['a', 'tiny'],
      ['b', 'tiny'],
    ])
    const models = ['tiny', 'a', 'b', '']
    const alone: string[] = []
    for (const model of models) alone.push(await ask(model))
    expect(new Set(alone).size).toBe(3)
    expect(alone[3]).toBe(alone[0])
    expect(await Promise.all(models.map(ask))).toEqual(alone)
    await server.close()
  })
})
