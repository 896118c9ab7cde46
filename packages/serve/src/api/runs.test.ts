// Runs as the page sees them: read from files that somebody else writes, and never left.
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Ift } from '@ift/core'
import { createServer, type Server } from '../server.js'
import type { DifferenceReply, MetricsReply, RunReply, RunsReply, SamplesReply } from './types.js'

let cwd: string
let ift: Ift
let server: Server
const outside = mkdtempSync(join(tmpdir(), 'ift-outside-'))

beforeAll(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'ift-api-'))
  ift = await Ift.load({ cwd, config: {} })
  server = createServer(ift, {
    withoutModel: true,
    page: { folder: null, program: { command: process.execPath, args: ['-e', ''] } },
  })
  await server.ready
})
afterAll(async () => {
  await server.close()
  await ift.close()
  rmSync(cwd, { recursive: true })
  rmSync(outside, { recursive: true })
})
const runs = () => join(cwd, 'ift-runs')
beforeEach(() => {
  mkdirSync(runs(), { recursive: true })
})
afterEach(() => {
  rmSync(runs(), { recursive: true })
})

const ask = (path: string, init: RequestInit = {}) =>
  server.fetch(
    new Request(new URL(path, 'http://127.0.0.1:8410'), {
      ...init,
      headers: {
        host: '127.0.0.1:8410',
        authorization: `Bearer ${server.token}`,
        ...(init.body !== undefined && { 'content-type': 'application/json' }),
        ...(init.headers as Record<string, string> | undefined),
      },
    }),
  )
const read = async <T>(path: string) => (await (await ask(path)).json()) as T
const code = async (reply: Response) => ((await reply.json()) as { error: { code: string } }).error.code
const row = (id: string) => read<RunReply>(`/api/runs/${id}`)

const line = (step: number, more: object = {}) =>
  `${JSON.stringify({
    step,
    kind: 'train',
    values: { loss: 3 / step, tokens: 100, trainedTokens: 50, seconds: 2, elapsed: 2 * step, ...more },
  })}\n`
const evaluation = (step: number, loss: number) =>
  `${JSON.stringify({ step, kind: 'eval', values: { loss } })}\n`

const manifest = (config: object = {}, more: object = {}) =>
  JSON.stringify({
    ...{ ift: '0.1.0', started: '2026-11-30T10:00:00.000Z', dataHash: 'd' },
    config: { weights: './m', data: ['a.jsonl'], peft: { method: 'lora', r: 8 }, ...config },
    ...more,
  })

function make(name: string, files: Readonly<Record<string, string>> = {}): string {
  const dir = join(runs(), name)
  mkdirSync(dir, { recursive: true })
  for (const [file, text] of Object.entries({ 'manifest.json': manifest(), ...files })) {
    mkdirSync(join(dir, file, '..'), { recursive: true })
    writeFileSync(join(dir, file), text)
  }
  return dir
}

/** A lock of a process on another machine, which gives signs of life. */
const lockElsewhere = JSON.stringify({
  ...{
    pid: 1,
    host: 'elsewhere',
    boot: 'b',
    namespace: 'n',
    started: 's',
    since: '2026-11-30T10:00:00.000Z',
    key: 'k',
  },
})

const plan = (steps: number) => JSON.stringify({ steps, memory: { total: 1 } })

describe('the list', () => {
  test('states are those of the files: trains elsewhere, done, stopped, failed, killed, unreadable', async () => {
    make('elsewhere', { 'run.lock': lockElsewhere, 'metrics.jsonl': line(1), 'plan.json': plan(10) })
    make('done', { 'result.json': '{"reason":"done","steps":2}', 'metrics.jsonl': line(1) + line(2) })
    make('stopped', { 'result.json': '{"reason":"interrupted","steps":2}' })
    make('failed', {
      'result.json': '{"reason":"failed","error":{"code":"IFT_X","message":"why","hint":"do"}}',
    })
    make('killed', { 'metrics.jsonl': line(1) + line(2), 'plan.json': plan(10) })
    make('broken', { 'manifest.json': '{"config": ' })
    mkdirSync(join(runs(), 'no-run'))
    writeFileSync(join(runs(), 'a-file'), '')
    const { runs: found, folders } = await read<RunsReply>('/api/runs')
    const byId = new Map(found.map((one) => [one.id, one]))
    expect(Object.fromEntries([...byId].map(([id, { state }]) => [id, state]))).toEqual({
      ...{ elsewhere: 'training', done: 'done', stopped: 'stopped', failed: 'failed', killed: 'stopped' },
      broken: 'unreadable',
    })
    expect(byId.get('failed')!.error).toEqual({ code: 'IFT_X', message: 'why', hint: 'do' })
    expect(byId.get('killed')!.error?.code).toBe('killed')
    expect(byId.get('broken')!.error?.message).toMatch(/JSON/)
    expect(byId.get('elsewhere')!.process).toMatchObject({ pid: 1, host: 'elsewhere', canStop: false })
    expect(byId.get('elsewhere')).toMatchObject({
      step: 1,
      totalSteps: 10,
      base: 'm',
      method: 'lora',
      rank: 8,
    })
    expect(folders[0]).toBe('ift-runs')
  })

  test('a name that no address holds has another id, and is found by it', async () => {
    const names = ['训练 1', '..x y', 'a%2e%2e', '<img src=x onerror=alert(1)>']
    for (const name of names) make(name)
    const { runs: found } = await read<RunsReply>('/api/runs')
    expect(found.map(({ name }) => name).sort()).toEqual(
      [...names].filter((name) => !name.startsWith('.')).sort(),
    )
    for (const { id, name } of found) expect((await row(id)).name).toBe(name)
  })

  test('time left is that of the last twenty steps, evaluations included, from the third on', async () => {
    const dir = make('eta', {
      'run.lock': lockElsewhere,
      'plan.json': plan(100),
      'metrics.jsonl': line(1) + line(2),
    })
    expect((await row('eta')).secondsLeft).toBeNull()
    for (let step = 3; step <= 40; step++)
      appendFileSync(
        join(dir, 'metrics.jsonl'),
        line(step, { elapsed: step <= 20 ? step * 100 : 2000 + (step - 20) * 3 }),
      )
    expect((await row('eta')).secondsLeft).toBeCloseTo(3 * 60)
  })
})

describe('ids lead nowhere else', () => {
  test.each([
    '..',
    '%2e%2e',
    '..%2fift-outside',
    '..%5c..',
    '%2fetc',
    'C:%5c',
    'a%00',
    'ift-runs-evil',
    'x'.repeat(10_000),
  ])('%s', async (id) => {
    for (const [method, path] of [
      ['GET', ''],
      ['GET', '/metrics'],
      ['GET', '/events'],
      ['GET', '/report'],
      ['DELETE', ''],
    ] as const) {
      const reply = await ask(`/api/runs/${id}${path}`, { method })
      expect(reply.status, `${method} ${path}`).toBeGreaterThanOrEqual(404)
      expect(reply.status).toBeLessThan(500)
    }
    expect(existsSync(outside)).toBe(true)
  })

  test('a link out of the folder is a row with its reason, and is neither read nor removed', async () => {
    mkdirSync(join(outside, 'run'), { recursive: true })
    writeFileSync(join(outside, 'run/manifest.json'), manifest({ weights: 'secret' }))
    symlinkSync(join(outside, 'run'), join(runs(), 'link'))
    const found = await row('link')
    expect(found).toMatchObject({ state: 'unreadable', config: null })
    expect(JSON.stringify(found)).not.toContain('secret')
    const reply = await ask('/api/runs/link', { method: 'DELETE' })
    expect(reply.status).toBe(403)
    expect(existsSync(join(outside, 'run/manifest.json'))).toBe(true)
  })

  test('a removed folder takes links in it along, not what they lead to', async () => {
    const dir = make('old', { 'metrics.jsonl': line(1) })
    mkdirSync(join(outside, 'kept'), { recursive: true })
    writeFileSync(join(outside, 'kept/file'), 'x')
    symlinkSync(join(outside, 'kept'), join(dir, 'link'))
    const reply = await ask('/api/runs/old', { method: 'DELETE' })
    expect(reply.status).toBe(200)
    expect(((await reply.json()) as { bytes: number }).bytes).toBeGreaterThan(100)
    expect(existsSync(dir)).toBe(false)
    expect(existsSync(join(outside, 'kept/file'))).toBe(true)
  })
})

describe('what is running is not touched', () => {
  test('delete and resume are refused, and a process elsewhere is not signalled', async () => {
    make('live', { 'run.lock': lockElsewhere })
    expect((await ask('/api/runs/live', { method: 'DELETE' })).status).toBe(409)
    expect((await ask('/api/runs/live/resume', { method: 'POST', body: '{}' })).status).toBe(409)
    const stop = await ask('/api/runs/live/stop', { method: 'POST', body: '{}' })
    expect([stop.status, await code(stop)]).toEqual([403, 'run_elsewhere'])
    expect(existsSync(join(runs(), 'live/manifest.json'))).toBe(true)
  })

  test('a lock with the id of a process that is another one by now stops nobody', async () => {
    const left = JSON.stringify({
      ...(JSON.parse(lockElsewhere) as object),
      pid: process.pid,
      host: hostname(),
    })
    make('left', { 'run.lock': left })
    const stop = await ask('/api/runs/left/stop', { method: 'POST', body: '{"now": true}' })
    // Its boot is another one, so that its id says nothing here; we are still there.
    expect(stop.status).toBe(403)
  })

  test('no run, no checkpoint: 409', async () => {
    make('idle', { 'result.json': '{"reason":"interrupted"}' })
    expect(await code(await ask('/api/runs/idle/stop', { method: 'POST', body: '{}' }))).toBe('not_running')
    expect(await code(await ask('/api/runs/idle/resume', { method: 'POST', body: '{}' }))).toBe(
      'cannot_resume',
    )
  })
})

describe('lines', () => {
  test('columns of one length, with null where a line has none; the last line is waited for', async () => {
    const dir = make('a', {
      'metrics.jsonl': `${line(1)}not json\n${line(2, { penalty: 0.5, loss: null })}${evaluation(2, 1.5)}{"step":3,"ki`,
    })
    const reply = await read<MetricsReply>('/api/runs/a/metrics')
    expect(reply.train).toMatchObject({ step: [1, 2], loss: [3, null], penalty: [null, 0.5] })
    expect(reply.evaluation).toEqual({ step: [2], loss: [1.5] })
    expect(reply.broken).toBe(1)
    appendFileSync(join(dir, 'metrics.jsonl'), `nd":"train","values":{"loss":1}}\n`)
    expect((await read<MetricsReply>('/api/runs/a/metrics')).train.step).toEqual([1, 2, 3])
  })

  test('fifty thousand lines are one reply, quickly', async () => {
    let text = ''
    for (let step = 1; step <= 50_000; step++) text += line(step)
    make('long', { 'metrics.jsonl': text })
    const started = performance.now()
    const { train } = await read<MetricsReply>('/api/runs/long/metrics')
    expect(train.step).toHaveLength(50_000)
    expect(performance.now() - started).toBeLessThan(5000)
  })

  test('samples', async () => {
    const sample = (step: number) =>
      `${JSON.stringify({ step, index: 0, prompt: 'p', answer: 'a', ended: 'length', tokens: 3 })}\n`
    make('s', { 'samples.jsonl': `${sample(0)}{}\n${sample(4)}` })
    const reply = await read<SamplesReply>('/api/runs/s/samples')
    expect(reply.samples.map(({ step, ended, expected }) => [step, ended, expected])).toEqual([
      [0, 'length', null],
      [4, 'length', null],
    ])
  })
})

interface Heard {
  readonly event: string
  readonly id: string
  readonly data: Record<string, unknown>
}

/** Reads events until one holds; the stream is left then. */
async function listen(
  path: string,
  until: (event: Heard) => boolean,
  init: RequestInit = {},
): Promise<Heard[]> {
  const gone = new AbortController()
  const reply = await ask(path, { ...init, signal: gone.signal })
  expect(reply.headers.get('content-type')).toBe('text/event-stream')
  const heard: Heard[] = []
  let text = ''
  for await (const piece of reply.body!.pipeThrough(new TextDecoderStream())) {
    text += piece
    const parts = text.split('\n\n')
    text = parts.pop()!
    for (const part of parts) {
      const [, event, id, data] = /^event: (.*)\nid: (.*)\ndata: (.*)$/s.exec(part) ?? []
      if (event === undefined) continue
      heard.push({ event, id: id!, data: JSON.parse(data!) as Heard['data'] })
      if (until(heard.at(-1)!)) return heard
    }
  }
  return heard
}
const steps = (heard: readonly Heard[]) =>
  heard.filter(({ event }) => event === 'step').map(({ data }) => data['step'])

describe('events', () => {
  test('what is added is told, from behind a position; where it went on is the id', async () => {
    const dir = make('live', {
      'run.lock': lockElsewhere,
      'metrics.jsonl': line(1) + line(2),
      'plan.json': plan(9),
    })
    const { position } = await read<MetricsReply>('/api/runs/live/metrics')
    appendFileSync(join(dir, 'metrics.jsonl'), line(3) + evaluation(3, 1) + line(4).slice(0, 20))
    setTimeout(() => {
      appendFileSync(join(dir, 'metrics.jsonl'), line(4).slice(20) + line(5))
    }, 300)
    const heard = await listen(`/api/runs/live/events?after=${position}`, ({ data }) => data['step'] === 5)
    expect(heard[0]).toMatchObject({ event: 'begin', data: { row: { id: 'live', state: 'training' } } })
    expect(steps(heard)).toEqual([3, 4, 5])
    expect(heard.find(({ event }) => event === 'evaluation')!.data).toEqual({ step: 3, values: { loss: 1 } })
    // The same again from an id on, as EventSource asks for it.
    const fourth = heard.find(({ data }) => data['step'] === 4)!
    const again = await listen('/api/runs/live/events', ({ data }) => data['step'] === 5, {
      headers: { 'last-event-id': fourth.id },
    })
    expect(steps(again)).toEqual([5])
  })

  test('a run that goes on at an earlier step says that all is to be read anew', async () => {
    const dir = make('again', { 'run.lock': lockElsewhere, 'metrics.jsonl': line(1) + line(2) + line(3) })
    const { position } = await read<MetricsReply>('/api/runs/again/metrics')
    const rewind = () => {
      writeFileSync(join(dir, 'metrics.tmp'), line(1))
      renameSync(join(dir, 'metrics.tmp'), join(dir, 'metrics.jsonl'))
    }
    setTimeout(rewind, 300)
    const heard = await listen(`/api/runs/again/events?after=${position}`, ({ event }) => event === 'reset')
    expect(heard.map(({ event }) => event)).toEqual(['begin', 'reset'])
    // Who comes back with a position of before is told, too.
    const late = await listen(`/api/runs/again/events?after=${position}`, ({ event }) => event === 'reset')
    expect(late.map(({ event }) => event)).toEqual(['begin', 'reset'])
  })

  test('states, checkpoints, and the end of the folder', async () => {
    const dir = make('ends', { 'run.lock': lockElsewhere, 'metrics.jsonl': line(1) })
    setTimeout(() => {
      mkdirSync(join(dir, 'checkpoints/step-1'), { recursive: true })
      writeFileSync(join(dir, 'checkpoints/step-1/hashes.json'), '{}')
      writeFileSync(join(dir, 'result.json'), '{"reason":"interrupted"}')
      rmSync(join(dir, 'run.lock'))
    }, 100)
    const heard = await listen('/api/runs/ends/events', ({ event, data }) => {
      if (event === 'state' && data['state'] === 'stopped') rmSync(dir, { recursive: true })
      return event === 'gone'
    })
    expect(heard.map(({ event }) => event)).toEqual(['begin', 'checkpoint', 'state', 'gone'])
  })

  test('too many watchers are told so, and room is made by those who go', async () => {
    make('busy', { 'run.lock': lockElsewhere })
    const open = await Promise.all(Array.from({ length: 64 }, () => ask('/api/runs/busy/events')))
    const readers = open.map((reply) => reply.body!.getReader())
    for (const reader of readers) await reader.read()
    expect(server.watching).toBe(64)
    expect((await ask('/api/runs/busy/events')).status).toBe(503)
    for (const reader of readers) void reader.cancel()
    const until = Date.now() + 5000
    while (server.watching > 0 && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 20))
    expect(server.watching).toBe(0)
  })
})

test('what differs between runs: options by path, inputs by hash', async () => {
  make('a', { 'manifest.json': manifest({ seed: 1 }, { sources: { 'a.jsonl': 'x' } }) })
  make('b', {
    'manifest.json': manifest({ seed: 1, peft: { method: 'lora', r: 16 } }, { sources: { 'a.jsonl': 'y' } }),
  })
  const reply = await read<DifferenceReply>('/api/runs/a/difference?with=b')
  expect(reply.differences).toEqual([{ path: 'peft.r', values: [8, 16] }])
  expect(reply.files).toContainEqual({
    ...{ what: 'data a.jsonl', names: ['a.jsonl', 'a.jsonl'], hashes: ['x', 'y'], sameName: true },
  })
  expect((await ask('/api/runs/a/difference')).status).toBe(400)
})

test('a run is started with its config, in a folder of its own', async () => {
  const start = (body: object) => ask('/api/runs', { method: 'POST', body: JSON.stringify(body) })
  const wrong = await start({ config: { train: { learningRate: -1 } } })
  expect([wrong.status, ((await wrong.json()) as { error: { param: string } }).error.param]).toEqual([
    400,
    'config.train.learningRate',
  ])
  for (const config of [
    { plugins: ['./evil.mjs'] },
    { output: '/tmp/x' },
    { ranks: { mpi: '/tmp/evil.so' } },
  ])
    expect((await start({ config })).status, JSON.stringify(config)).toBe(400)
  for (const name of ['..', '../x', 'a/b', '.hidden', 'a\n'])
    expect((await start({ config: {}, name })).status, name).toBe(400)
  const config = { weights: './m', data: ['a; rm -rf $(pwd) `x`'], peft: { method: 'none' } }
  const begun = await start({ config, name: 'mine' })
  expect([begun.status, await begun.json()]).toEqual([201, { id: 'mine' }])
  expect(existsSync(join(runs(), 'mine/config.json'))).toBe(true)
  expect((await start({ config, name: 'mine' })).status).toBe(409)
  const rows = (await read<RunsReply>('/api/runs')).runs
  expect(rows.map(({ id }) => id)).toEqual(['mine'])
})
