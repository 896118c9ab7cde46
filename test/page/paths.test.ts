// The page's paths of data and of new runs, over HTTP, by a server as a user starts it.
import { connect } from 'node:net'
import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type {
  DataListReply,
  DataProgress,
  DataReply,
  MachineReply,
  PlanReply,
  RowReply,
  RowsReply,
  SchemaReply,
} from '@ift/serve/api'
import { servePage, writeRun, type ServedPage } from './page.fixture.js'

const row = (instruction: string, output: string) => JSON.stringify({ instruction, input: '', output })
const long = Array.from({ length: 60 }, (_, i) => `Tom has ${i} apples.`).join(' ')
const hostile = '<img src=x onerror=alert(1)>'

let served: ServedPage
beforeAll(async () => {
  served = await servePage({
    flags: ['--no-model'],
    prepare(folder) {
      writeFileSync(
        folder.path('rows.jsonl'),
        [
          row('How many?', 'Seven.'),
          row('Tell all.', long),
          row('Again', 'Same.'),
          row('Again', 'Same.'),
          row('Nothing', ''),
          row(hostile, 'No.'),
          ...Array.from({ length: 20 }, (_, i) => row(`Count to ${i}`, `${i}`)),
        ].join('\n'),
      )
      const path = folder.path('ift.config.json')
      const config = JSON.parse(readFileSync(path, 'utf8')) as object
      writeFileSync(path, JSON.stringify({ ...config, dedup: true, maxLength: 128 }))
      writeRun(folder.path('ift-runs/before'), { config: { weights: './model', data: ['rows.jsonl'] } })
    },
  })
}, 60_000)
afterAll(() => served.close())

const get = async <T>(path: string) => (await (await served.api(path)).json()) as T
const post = async <T>(path: string, body: unknown) =>
  (await (await served.api(path, { method: 'POST', body: JSON.stringify(body) })).json()) as T
const config = () => {
  const { dedup: _, ...rest } = JSON.parse(served.folder.read('ift.config.json')) as Record<string, unknown>
  return rest
}

test('the machine', async () => {
  const reply = await get<MachineReply>('/api/machine')
  expect(reply).toMatchObject({
    ...{ model: null, runs: { total: 1, training: 0, failed: 0 }, folders: ['ift-runs'] },
    ...{ canStart: true, whyNot: null },
  })
  expect(reply.memory.total).toBeGreaterThan(reply.memory.used)
})

test('data: what became of each row, and the row as the model sees it', async () => {
  const { sets } = await get<DataListReply>('/api/data')
  expect(sets.map(({ name, sources }) => [name, sources])).toEqual([
    ['config', ['rows.jsonl']],
    ['run.before', ['rows.jsonl']],
  ])
  const data = await vi.waitFor(
    async () => {
      const reply = await get<DataReply | DataProgress>('/api/data/config')
      if ('reading' in reply) throw new Error('still reading')
      return reply
    },
    { timeout: 60_000, interval: 100 },
  )
  expect(data).toMatchObject({ maxLength: 128, truncation: 'right', complete: true, template: 'alpaca' })
  const reasons = Object.fromEntries(data.reasons.map(({ reason, count }) => [reason, count]))
  expect(reasons).toMatchObject({ cut: 1, duplicate: 1, heldOut: 4 })
  expect(data.totals.rows).toBe(26)
  expect(data.totals.kept).toBe(
    26 - data.reasons.reduce((sum, { reason, count }) => sum + (reason === 'cut' ? 0 : count), 0),
  )
  expect(data.totals.trainedTokens).toBeLessThan(data.totals.tokens)
  expect(data.lengths.counts[0]!.reduce((a, b) => a + b)).toBeGreaterThan(20)
  expect(data.lengths.longest).toBeGreaterThan(128)

  const cut = await get<RowsReply>('/api/data/config/rows?reason=cut')
  expect(cut).toMatchObject({ total: 1, rows: [{ title: 'Tell all.', row: 1 }] })
  const found = await get<RowsReply>(`/api/data/config/rows?filter=${encodeURIComponent('ONERROR')}`)
  expect(found.rows.map(({ title }) => title)).toEqual([hostile])
  const paged = await get<RowsReply>('/api/data/config/rows?page=2&size=10')
  expect([paged.total, paged.rows.length]).toEqual([26, 6])

  const whole = await get<RowReply>('/api/data/config/rows/1')
  expect(whole.count).toBe(whole.pieces.length)
  const text = whole.pieces.map((piece) => piece.text).join('')
  expect(text).toContain('Tell all.')
  expect(whole.pieces.some(({ cut }) => cut)).toBe(true)
  expect(whole.pieces.filter(({ cut }) => !cut)).toHaveLength(128)
  const trained = whole.pieces.filter((piece) => piece.trained && !piece.cut)
  expect(trained).toHaveLength(whole.trained)
  expect(whole.raw).toContain('"instruction": "Tell all."')
  const rest = await get<RowReply>('/api/data/config/rows/1?from=100')
  expect(rest.pieces).toEqual(whole.pieces.slice(100))
  expect((await served.api('/api/data/config/rows/999')).status).toBe(404)
  expect((await served.api('/api/data/run.nothing')).status).toBe(404)
  expect((await served.api('/api/data/..%2f..')).status).toBe(404)
  expect((await served.api('/api/data/config/rows?size=100000')).status).toBe(400)
}, 60_000)

test('data that cannot be read are an error with its words', async () => {
  await vi.waitFor(
    async () => {
      const reply = await served.api('/api/data/run.before')
      expect(reply.status).toBe(400)
      const { error } = (await reply.json()) as { error: { message: string } }
      expect(error.message).toContain('model')
    },
    { timeout: 30_000, interval: 100 },
  )
})

test('the form: sections from the schema, methods with their options', async () => {
  const form = await get<SchemaReply>('/api/schema')
  expect(form.sections.map(({ key }) => key)).toEqual([
    ...['model', 'method', 'data', 'training', 'validation', 'samples', 'output'],
  ])
  const fields = form.sections.flatMap((section) => section.fields)
  const rate = fields.find(({ path }) => path === 'train.learningRate')!
  expect(rate).toMatchObject({
    ...{ kind: 'number', default: 3e-4, min: 0, above: true, max: null, common: true },
    label: { en: 'Learning rate', zh: '学习率' },
  })
  for (const { path, label, help } of fields) {
    expect(label.zh, path).not.toBe('')
    expect(help.en, path).not.toBe('')
    expect(label.en, `${path} has a label`).not.toBe(path)
  }
  const lora = form.methods.find(({ name }) => name === 'lora')!
  expect(lora.fields.map(({ path }) => path)).toContain('peft.r')
  expect(form.weights.map(({ value }) => value)).toContain('./model')
  expect(form.config?.written).toMatchObject({ dedup: true })
  expect(JSON.stringify(form)).not.toContain('plugins')
})

test('a plan: faults by field at once, the plan from a process of its own, the command', async () => {
  const wrong = await post<PlanReply>('/api/plan', {
    config: { train: { learningRate: -1, epoch: 2 }, peft: { method: 'lora', r: 0.5 }, plugins: ['./x.mjs'] },
  })
  expect(wrong.plan).toBeNull()
  expect(wrong.faults.map(({ path, nearest }) => [path, nearest])).toEqual(
    expect.arrayContaining([
      ['train.learningRate', null],
      ['train.epoch', 'train.epochs'],
      ['peft.r', null],
      ['plugins', null],
    ]),
  )
  const right = await post<PlanReply>('/api/plan', { config: config() })
  expect(right.problem).toBeNull()
  expect(right.plan).toMatchObject({ steps: 20, heldOut: 4, memory: { fits: true }, maxLength: 128, cut: 1 })
  expect(right.plan!.trainable).toBeGreaterThan(0)
  expect(right.command.lines[0]).toBe('npx ift train')
  expect(right.command.lines).toContain('  --train.maxSteps 20')
  const absent = await post<PlanReply>('/api/plan', { config: { ...config(), weights: './nothing' } })
  expect(absent.plan).toBeNull()
  expect(absent.problem?.message).toContain('nothing')
  const tight = await post<PlanReply>('/api/plan', {
    config: { ...config(), train: { maxSteps: 20, memory: 0.001 } },
  })
  expect(tight.plan!.memory.fits).toBe(false)
  expect(tight.plan!.remedies.length).toBeGreaterThan(0)
}, 90_000)

test('a command line that a shell takes as it is meant', async () => {
  const { lines } = await post<{ lines: string[] }>('/api/command', {
    config: {
      data: ["it's.jsonl", { path: 'a b.json', weight: 2 }],
      peft: { method: 'lora', r: 8 },
      dedup: { near: 0.9 },
      train: { samples: { prompts: ['-x; rm -rf /'] } },
    },
  })
  expect(lines).toEqual([
    'npx ift train',
    `  --data 'it'\\''s.jsonl' '{"path":"a b.json","weight":2}'`,
    '  --peft.method lora',
    '  --peft.r 8',
    `  --dedup '{"near":0.9}'`,
    `  --train.samples.prompts='["-x; rm -rf /"]'`,
  ])
})

test('train --ui: the page is a process of its own, which ends when the run has and nobody watches', async () => {
  const running = served.folder.start(
    ['train', '--ui', '--output', 'shown/a-run', '--train.maxSteps', '12'],
    {
      env: { ...process.env, XDG_CACHE_HOME: served.folder.path('.cache'), DISPLAY: '', WAYLAND_DISPLAY: '' },
    },
  )
  let said = ''
  running.child.stderr!.on('data', (data: Buffer) => (said += data.toString()))
  await running.until(() => said.includes('Page: '))
  const [, url, token, route] = /Page: (http:\/\/[^/]+)\/#t=([\w-]+)(\/\S+)/.exec(said)!
  expect(route).toBe('/runs/a-run')
  const ask = () => fetch(`${url}/api/runs/a-run`, { headers: { authorization: `Bearer ${token!}` } })
  expect((await ask()).status).toBe(200)
  const { code } = await running.ended
  expect(code).toBe(0)
  const after = (await (await ask()).json()) as { state: string }
  expect(after.state).toBe('done')
  // A connection without a request is nobody who watches.
  const isReached = () =>
    new Promise<boolean>((resolve) => {
      const socket = connect(Number(new URL(url!).port), '127.0.0.1', () => {
        socket.destroy()
        resolve(true)
      })
      socket.on('error', () => {
        resolve(false)
      })
    })
  await vi.waitFor(async () => expect(await isReached()).toBe(false), { timeout: 40_000, interval: 500 })
}, 120_000)
