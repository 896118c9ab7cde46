// Checkpoints of runs, loaded over the model that is served.
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Ift } from '@ift/core'
import { createServer, type Server } from '../server.js'
import { tinyModel, writeTinyAdapter } from '../server.fixture.js'
import type { AdaptersReply } from './types.js'

/** Plugins are found where the workspace has them. */
const searchFrom = [fileURLToPath(new URL('../../../..', import.meta.url))]
const dir = mkdtempSync(join(tmpdir(), 'ift-adapters-'))
let ift: Ift
let server: Server

/** A run of two checkpoints over a base, with a validation loss at the second. */
function writeRun(name: string, weights: string): void {
  const run = join(dir, 'ift-runs', name)
  for (const step of [3, 6]) {
    const checkpoint = join(run, 'checkpoints', `step-${step}`)
    writeTinyAdapter(join(checkpoint, 'adapter'))
    writeFileSync(join(checkpoint, 'hashes.json'), '{}')
  }
  const config = { weights, peft: { method: 'lora' }, train: { maxSteps: 6 } }
  writeFileSync(join(run, 'manifest.json'), JSON.stringify({ started: '2026-11-30T10:00:00.000Z', config }))
  writeFileSync(
    join(run, 'metrics.jsonl'),
    '{"step":6,"kind":"train","values":{"loss":2}}\n{"step":6,"kind":"eval","values":{"loss":1.5}}\n',
  )
}

beforeAll(async () => {
  mkdirSync(join(dir, 'ift-runs'))
  writeRun('tea', tinyModel)
  writeRun('other', '/models/another')
  const config = { weights: tinyModel, template: 'alpaca', device: 'cpu', dtype: 'f32', threads: 1 } as const
  ift = await Ift.load({ cwd: dir, config, searchFrom })
  server = createServer(ift, { name: 'tiny', page: { folder: null, program: null } })
  await server.ready
  server.bind({ host: '127.0.0.1', port: 8410 })
})
afterAll(async () => {
  await server.close()
  await ift.close()
  rmSync(dir, { recursive: true })
})

const ask = (path: string, body?: unknown, of = server) =>
  of.fetch(
    new Request(new URL(path, 'http://127.0.0.1:8410'), {
      ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
      headers: {
        host: '127.0.0.1:8410',
        'content-type': 'application/json',
        authorization: `Bearer ${of.token}`,
      },
    }),
  )
const listed = async () => (await (await ask('/api/adapters')).json()) as AdaptersReply
const said = async (model: string) => {
  const body = { model, prompt: 'Which tea', max_tokens: 8, temperature: 0 }
  const reply = await ask('/v1/completions', body)
  return ((await reply.json()) as { choices: { text: string }[] }).choices[0]!.text
}

test('a checkpoint of a run on the same base is listed, loaded once, and answers by its name', async () => {
  const before = await listed()
  const row = { run: 'tea', name: 'tea', model: null }
  expect(before).toEqual({
    canLoad: true,
    adapters: [
      { ...row, step: 6, best: true, loss: 1.5 },
      { ...row, step: 3, best: false, loss: null },
    ],
  })
  const base = await said('tiny')
  for (let i = 0; i < 2; i++)
    expect(await (await ask('/api/adapters', { run: 'tea', step: 6 })).json()).toEqual({ model: 'tea-6' })
  expect((await listed()).adapters[0]!.model).toBe('tea-6')
  expect(await said('tea-6')).not.toBe(base)
  expect(await said('tiny')).toBe(base)
})

test('what cannot be loaded says why', async () => {
  const code = async (reply: Response) => {
    const { error } = (await reply.json()) as { error: { code: string; message: string } }
    return [reply.status, error.code]
  }
  expect(await code(await ask('/api/adapters', { run: 'tea', step: 4 }))).toEqual([404, 'not_found'])
  expect(await code(await ask('/api/adapters', { run: 'none', step: 3 }))).toEqual([404, 'not_found'])
  cpSync(join(dir, 'ift-runs/tea'), join(dir, 'ift-runs/broken'), { recursive: true })
  writeFileSync(join(dir, 'ift-runs/broken/checkpoints/step-3/adapter/adapter_config.json'), '{')
  expect(await code(await ask('/api/adapters', { run: 'broken', step: 3 }))).toEqual([
    400,
    'adapter_unusable',
  ])
  expect(await said('tiny')).not.toBe('')
  const one = await Ift.load({
    ...{ cwd: dir, searchFrom },
    config: { ...ift.config, adapter: join(dir, 'ift-runs/tea/checkpoints/step-3/adapter') },
  })
  const closed = createServer(one, { page: { folder: null, program: null } })
  await closed.ready
  closed.bind({ host: '127.0.0.1', port: 8410 })
  expect(await code(await ask('/api/adapters', { run: 'tea', step: 6 }, closed))).toEqual([
    409,
    'adapters_closed',
  ])
  await closed.close()
  await one.close()
})
