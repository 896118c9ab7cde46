// How requests end: by clients that go away or do not read, by full queues, by the end of the server.
import { afterEach, expect, test, vi } from 'vitest'
import { listen, type Listening } from './listen.js'
import type { ServeOptions } from './options.js'
import { testServer, type TestServer } from './server.fixture.js'
import { opened, raw, request } from './socket.fixture.js'
import { eventStream } from './wire/sse.js'

let tiny: TestServer
let at: Listening
const lines: string[] = []

async function start(options: ServeOptions = {}): Promise<void> {
  lines.length = 0
  tiny = await testServer({ log: (line) => lines.push(line), ...options })
  at = await listen(tiny.server, { port: 0 })
}

afterEach(async () => {
  await at.close(0)
  await tiny.close()
})

const long = { messages: [{ role: 'user', content: 'Hi' }], max_tokens: 400, ignore_eos: true }
const chat = (body: object, headers: readonly string[] = []) =>
  request(
    'POST /v1/chat/completions',
    [`host: 127.0.0.1:${at.port}`, 'content-type: application/json', ...headers],
    body,
  )
const metric = async (name: string) => {
  const text = await (await tiny.get('/metrics', { headers: { host: `127.0.0.1:${at.port}` } })).text()
  return Number(new RegExp(`^${name.replace(/[{}"]/g, '\\$&')} (.*)$`, 'm').exec(text)?.[1] ?? NaN)
}
const running = () => metric('ift_num_requests_running')
const eventually = (check: () => Promise<void>) => vi.waitFor(check, { timeout: 20_000, interval: 20 })

test.each([
  ['that reads a stream', { stream: true }],
  ['that waits for a whole reply', {}],
  ['of several answers', { stream: true, n: 4 }],
])('a client %s and goes away ends its request, and no other', async (_, more) => {
  await start()
  const other = raw(at.port, chat({ ...long, max_tokens: 60 }))
  const socket = await opened(at.port, chat({ ...long, ...more }))
  await eventually(async () => {
    expect(await running()).toBeGreaterThan(1)
  })
  socket.destroy()
  await eventually(async () => {
    expect(await metric('ift_http_replies_total{status="499"}')).toBe(1)
  })
  expect((await other).status).toBe(200)
  await eventually(async () => {
    expect(await running()).toBe(0)
  })
  expect(await metric('ift_kv_cache_usage_perc')).toBe(0)
  expect(lines.some((line) => line.endsWith('499 the client went away'))).toBe(true)
})

test('a client that goes away while it waits', async () => {
  await start()
  const others = Array.from({ length: 20 }, () => opened(at.port, chat(long)))
  const sockets = await Promise.all(others)
  await eventually(async () => {
    expect([await running(), await metric('ift_num_requests_waiting')]).toEqual([16, 4])
  })
  for (const socket of sockets) socket.destroy()
  await eventually(async () => {
    expect([await running(), await metric('ift_num_requests_waiting')]).toEqual([0, 0])
  })
  await eventually(async () => {
    expect(await metric('ift_http_replies_total{status="499"}')).toBe(20)
  })
  expect((await raw(at.port, chat({ ...long, max_tokens: 2 }))).status).toBe(200)
})

test('too many that wait are told so', async () => {
  await start({ maxQueue: 1 })
  const sockets = await Promise.all(Array.from({ length: 17 }, () => opened(at.port, chat(long))))
  await eventually(async () => {
    expect([await running(), await metric('ift_num_requests_waiting')]).toEqual([16, 1])
  })
  const refused = await raw(at.port, chat(long))
  expect(refused.status).toBe(429)
  expect(refused.head).toMatch(/retry-after: 1/i)
  expect(refused.body).toContain('queue_full')
  for (const socket of sockets) socket.destroy()
})

test('as many are answered at a time as the server is told', async () => {
  await start({ maxSequences: 3 })
  const sockets = await Promise.all(Array.from({ length: 5 }, () => opened(at.port, chat(long))))
  await eventually(async () => {
    expect([await running(), await metric('ift_num_requests_waiting')]).toEqual([3, 2])
  })
  for (const socket of sockets) socket.destroy()
})

test('keys and values take the memory that the server is told', async () => {
  // 64 pages are the least: 1,024 tokens.
  await start({ cacheBytes: 1 })
  const socket = await opened(at.port, chat(long))
  await eventually(async () => {
    expect(await metric('ift_kv_cache_usage_perc')).toBeGreaterThan(0.1)
  })
  socket.destroy()
})

test('the end of a server lets answers end, and refuses new ones', async () => {
  await start()
  const answer = raw(at.port, chat({ ...long, max_tokens: 80, stream: true }))
  await eventually(async () => {
    expect(await running()).toBe(1)
  })
  const closed = at.close(20_000)
  const late = await raw(at.port, chat(long))
  expect(late.status).toBe(503)
  expect(late.body).toContain('shutting_down')
  expect((await raw(at.port, request('GET /health', [`host: 127.0.0.1:${at.port}`]))).status).toBe(503)
  const { body } = await answer
  expect(body).toContain('"finish_reason":"length"')
  expect(body).toContain('data: [DONE]')
  await closed
})

test('an answer that takes longer than its grace ends with an error', async () => {
  await start()
  const answer = raw(at.port, chat({ ...long, stream: true }))
  const whole = raw(at.port, chat(long))
  await eventually(async () => {
    expect(await running()).toBe(2)
  })
  await at.close(1)
  const { body } = await answer
  expect(body).toContain(
    'data: {"error":{"message":"The server was shut down before the answer ended.","type":"server_error","param":null,"code":"shutting_down"}}',
  )
  expect(body).not.toContain('[DONE]')
  expect((await whole).status).toBe(503)
})

test('a reader that takes nothing is dropped, and the memory that waits for it is bounded', async () => {
  let made = 0
  const outcomes: string[] = []
  const values = (async function* () {
    for (;;) {
      await Promise.resolve()
      yield { text: 'x'.repeat(1000), made: ++made }
    }
  })()
  await start()
  const stream = eventStream(values, {
    ...{ ping: 1000, patience: 50, failed: String },
    cancel: () => outcomes.push('cancelled'),
    ended: () => outcomes.push('ended'),
  })
  await vi.waitFor(() => {
    expect(outcomes).toEqual(['ended', 'cancelled'])
  })
  expect(made).toBeLessThan(70)
  await expect(stream.getReader().read()).rejects.toThrow('took nothing for too long')
})

test('a value behind the end of a stream waits for nobody', async () => {
  await start()
  const outcomes: string[] = []
  let next: (() => void) | undefined
  const values = (async function* () {
    yield 'x'.repeat(100_000)
    await new Promise<void>((resolve) => (next = resolve))
    yield 1
    yield 2
  })()
  const stream = eventStream(values, {
    ...{ ping: 1000, patience: 50, failed: String },
    cancel: () => outcomes.push('cancelled'),
    ended: () => outcomes.push('ended'),
  })
  const reader = stream.getReader()
  await reader.read()
  await vi.waitFor(() => expect(next).toBeDefined())
  await reader.cancel()
  next!()
  await new Promise((resolve) => setTimeout(resolve, 120))
  expect(outcomes).toEqual(['ended', 'cancelled'])
})

test('a stream that is silent shows that it is alive', async () => {
  await start()
  const values = (async function* () {
    await new Promise((resolve) => setTimeout(resolve, 120))
    yield 1
  })()
  const stream = eventStream(values, {
    ...{ ping: 20, patience: 1000, failed: String, cancel: () => undefined, ended: () => undefined },
  })
  const text = await new Response(stream).text()
  expect(text).toMatch(/^(: ping\n\n)+data: 1\n\ndata: \[DONE\]\n\n$/)
})
