// Holes that other servers of models had, one after the other, by bytes on a socket.
import { connect, createServer as createTcp } from 'node:net'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { definePlugin } from '@ift/core'
import { listen, type Listening } from './listen.js'
import { testServer, type TestServer } from './server.fixture.js'
import { raw, request } from './socket.fixture.js'

const json = 'content-type: application/json'
const asked = { messages: [{ role: 'user', content: 'Hi' }], max_tokens: 1 }

let tiny: TestServer
let at: Listening
beforeAll(async () => {
  const plugin = definePlugin('notes', ({ hooks }) => {
    hooks.routes.tap('notes', ({ add }) => {
      add({ method: 'GET', path: '/api/x/notes', run: () => Response.json({ notes: [] }) })
    })
  })
  tiny = await testServer({ allowHosts: ['ift.example'], allowOrigins: ['https://chat.example'] }, {}, [
    plugin,
  ])
  at = await listen(tiny.server, { port: 0 })
})
afterAll(async () => {
  await at.close(0)
  await tiny.close()
})

const post = (headers: readonly string[], body: unknown = asked, path = '/v1/chat/completions') =>
  raw(at.port, request(`POST ${path}`, headers, body))
const host = () => `host: 127.0.0.1:${at.port}`

describe('DNS rebinding: a name that is not ours is refused before anything is done', () => {
  const hosts: readonly (readonly [name: string, status: number])[] = [
    ['127.0.0.1:PORT', 200],
    ['localhost:PORT', 200],
    ['LOCALHOST:PORT', 200],
    ['[::1]:PORT', 200],
    ['ift.example:PORT', 200],
    ['ift.example', 200],
    ['ift.example:444', 200],
    ['ift.example.evil', 403],
    ['evil.example', 403],
    ['evil.example:PORT', 403],
    ['localhost.evil:PORT', 403],
    ['evil.localhost:PORT', 403],
    ['localhost.:PORT', 403],
    ['127.0.0.1', 403],
    ['127.0.0.1:1', 403],
    ['127.0.0.1.nip.io:PORT', 403],
    ['127.1:PORT', 403],
    ['0.0.0.0:PORT', 403],
    ['192.168.0.2:PORT', 403],
    [':PORT', 403],
    ['', 403],
    ['user@127.0.0.1:PORT', 403],
    ['127.0.0.1:PORT/path', 403],
    ['[::1', 403],
  ]
  test.each(hosts)('Host: %s is %i', async (name, status) => {
    const line = `host: ${name.replace('PORT', String(at.port))}`
    for (const path of ['/v1/models', '/health', '/metrics'])
      expect((await raw(at.port, request(`GET ${path}`, [line]))).status).toBe(status)
    const chat = await post([line, json], { ...asked, stream: true })
    expect(chat.status).toBe(status)
    if (status === 403) expect(chat.body).toContain('host_not_allowed')
    // The page's paths need a token besides.
    const page = await raw(at.port, request('GET /api/x/notes', [line]))
    expect(page.status).toBe(status === 200 ? 401 : 403)
  })

  test('doubled and absent', async () => {
    const doubled = await raw(at.port, request('GET /v1/models', [host(), 'Host: evil.example']))
    expect(doubled.status).toBe(403)
    const same = await raw(at.port, request('GET /v1/models', [host(), host()]))
    expect(same.status).toBe(403)
    const absent = await raw(at.port, request('GET /v1/models', []))
    expect(absent.status).toBe(403)
    expect(absent.body).toContain('host_not_allowed')
    const absolute = await raw(at.port, request('GET http://evil.example/v1/models', ['host: evil.example']))
    expect(absolute.status).toBe(403)
  })
})

describe('pages of other sites', () => {
  test.each([
    ['null', 403],
    ['http://localhost.evil', 403],
    ['http://127.0.0.1.evil', 403],
    ['http://127.0.0.1:1', 403],
    ['https://127.0.0.1:PORT', 403],
    ['https://chat.example.evil', 403],
    ['https://chat.example:444', 403],
    ['', 403],
    ['https://chat.example', 200],
    ['http://127.0.0.1:PORT', 200],
    ['http://localhost:PORT', 200],
  ])('Origin: %s is %i', async (origin, status) => {
    const name = origin.replace('PORT', String(at.port))
    const reply = await post([host(), json, `origin: ${name}`])
    expect(reply.status).toBe(status)
    const told = /access-control-allow-origin: (.*)\r/i.exec(reply.head)?.[1]
    expect(told).toBe(status === 200 ? name : undefined)
    expect(reply.head).not.toMatch(/access-control-allow-credentials/i)
    const preflight = await raw(
      at.port,
      request('OPTIONS /v1/chat/completions', [
        host(),
        `origin: ${name}`,
        'access-control-request-method: POST',
      ]),
    )
    expect(preflight.status).toBe(status === 200 ? 204 : 403)
  })

  test('forms, plain text and images do nothing', async () => {
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      '',
      'application/jsonp',
    ])
      expect((await post([host(), `content-type: ${type}`])).status).toBe(415)
    const image = await raw(
      at.port,
      request('GET /v1/chat/completions', [host(), 'sec-fetch-site: cross-site']),
    )
    expect(image.status).toBe(403)
    const get = await raw(at.port, request('GET /v1/chat/completions', [host()]))
    expect(get.status).toBe(405)
    expect(get.head).toMatch(/allow: POST/i)
    expect(get.body).toContain('method_not_allowed')
  })
})

test('nothing is fetched for a client', async () => {
  let connections = 0
  const listener = createTcp(() => connections++)
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/x.png`
  for (const part of [
    { type: 'image_url', image_url: { url } },
    { type: 'input_audio', input_audio: { data: url } },
    { type: 'video_url', video_url: { url } },
    { type: 'file', file: { file_data: 'file:///etc/passwd' } },
  ]) {
    const reply = await post([host(), json], { messages: [{ role: 'user', content: [part] }] })
    expect(reply.status).toBe(400)
    expect(reply.body).toContain('unsupported_content')
  }
  for (const model of [
    url,
    '../../etc/passwd',
    '/etc/passwd',
    'C:\\x',
    '\\\\?\\x',
    `a\u0000b`,
    'x'.repeat(200),
  ])
    expect((await post([host(), json], { ...asked, model })).status).toBe(404)
  expect((await post([host(), json], { ...asked, model: 'x'.repeat(10_000) })).status).toBe(400)
  for (const path of [
    '/v1/models/..%2f..%2fetc',
    '/v1/models/%2e%2e/x',
    '/%2e%2e/%2e%2e/etc/passwd',
    '/v1/models/%00',
    '/v1/models/%ff',
  ])
    expect((await raw(at.port, request(`GET ${path}`, [host()]))).status).toBeGreaterThanOrEqual(400)
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(connections).toBe(0)
  listener.close()
})

test('a template of a request is refused', async () => {
  for (const chat_template of [
    "{{ ''.constructor.constructor('return process')() }}",
    '{% for i in range(9**9) %}{% endfor %}',
    null,
  ]) {
    const reply = await post([host(), json], { ...asked, chat_template })
    expect(reply.status).toBe(chat_template === null ? 200 : 400)
  }
})

test('greedy requests are refused, and the next one is answered', async () => {
  const user = (content: unknown) => ({ messages: [{ role: 'user', content }] })
  const deep = (depth: number) => `{"messages":${'['.repeat(depth)}${']'.repeat(depth)}}`
  const refused: readonly (readonly [unknown, number])[] = [
    [{ ...asked, n: 1e9 }, 400],
    [{ ...asked, n: -1 }, 400],
    [{ ...asked, max_tokens: -5 }, 400],
    [{ ...asked, max_tokens: 1.5 }, 400],
    ['{"messages":[{"role":"user","content":"a"}],"temperature":NaN}', 400],
    ['{"messages":[{"role":"user","content":"a"}],"temperature":1e999}', 400],
    [{ ...asked, stop: Array.from({ length: 200_000 }, () => 'x') }, 400],
    [{ ...asked, stop: ['x'.repeat(257)] }, 400],
    [{ ...asked, messages: [] }, 400],
    [{ ...asked, messages: 'Hi' }, 400],
    [user('word '.repeat(5000)), 400],
    [deep(100_000), 400],
    [deep(70), 400],
    ['[1]', 400],
    ['{"messages"', 400],
    [`"${'x'.repeat(100)}"`, 400],
    [
      {
        ...asked,
        response_format: { type: 'json_schema', json_schema: { schema: { a: 'x'.repeat(70_000) } } },
      },
      400,
    ],
    [{ ...asked, response_format: { type: 'yaml' } }, 400],
    [user('x'.repeat(5 * 1024 * 1024)), 413],
  ]
  for (const [body, status] of refused) {
    const reply = await post([host(), json], body)
    expect([reply.status, reply.body.slice(0, 20)]).toEqual([status, '{"error":{"message":'])
  }
  // Half a character is written as U+FFFD.
  const half = await post(
    [host(), json],
    '{"messages":[{"role":"user","content":"\\ud800 a"}],"max_tokens":1}',
  )
  expect(half.status).toBe(200)
  const big = await raw(at.port, request('GET /v1/models', [host(), `x-big: ${'x'.repeat(20_000)}`]))
  expect(big.status).toBe(431)
  expect(big.body).toContain('header_too_large')
  const noise = await raw(at.port, 'NOT HTTP\r\n\r\n')
  expect(noise.status).toBe(400)
  // A body that says it is larger than it may be is not waited for.
  const large = await raw(
    at.port,
    `POST /v1/completions HTTP/1.1\r\n${host()}\r\n${json}\r\ncontent-length: 1000000000\r\n\r\n{`,
  )
  expect(large.status).toBe(413)
  expect((await post([host(), json])).status).toBe(200)
})

test('clients that send a byte now and then are closed, and others answered meanwhile', async () => {
  const own = await testServer()
  const there = await listen(own.server, { port: 0, headerTimeout: 300, requestTimeout: 600 })
  const name = `host: 127.0.0.1:${there.port}`
  const begun = performance.now()
  const dripped = (head: string) =>
    new Promise<{ readonly text: string; readonly after: number }>((resolve) => {
      let text = ''
      const socket = connect(there.port, '127.0.0.1', () => socket.write(head))
      const timer = setInterval(() => socket.write('x'), 50)
      socket.setEncoding('utf8').on('data', (part: string) => (text += part))
      socket
        .on('error', () => undefined)
        .on('close', () => {
          clearInterval(timer)
          resolve({ text, after: performance.now() - begun })
        })
    })
  const slow = [
    ...Array.from({ length: 20 }, () => dripped(`GET /v1/models HTTP/1.1\r\n${name}\r\nx-slow: `)),
    dripped(`POST /v1/completions HTTP/1.1\r\n${name}\r\n${json}\r\ncontent-length: 1000\r\n\r\n{`),
  ]
  expect((await raw(there.port, request('GET /v1/models', [name]))).status).toBe(200)
  for (const { text, after } of await Promise.all(slow)) {
    expect(text).toContain('HTTP/1.1 408 Request Timeout')
    expect(text).toContain('request_timeout')
    expect(after).toBeLessThan(9000)
  }
  await there.close(0)
  await own.close()
})

test('a key: wrong, missing, right, and nowhere to be read', async () => {
  const lines: string[] = []
  const keyed = await testServer({ apiKey: 'sk-secret', log: (line) => lines.push(line) })
  const there = await listen(keyed.server, { port: 0, host: '0.0.0.0' })
  const ask = (headers: readonly string[], path = '/v1/models') =>
    raw(there.port, request(`GET ${path}`, [`host: 127.0.0.1:${there.port}`, ...headers]))
  for (const wrong of [
    [],
    ['authorization: Bearer'],
    ['authorization: Bearer sk-secreT'],
    ['x-api-key: '],
    ['authorization: Basic sk-secret'],
  ]) {
    const reply = await ask(wrong)
    expect(reply.status).toBe(401)
    expect(reply.head).toMatch(/www-authenticate: Bearer/i)
    expect(reply.body).toContain('invalid_api_key')
  }
  expect((await ask(['authorization: Bearer sk-secret'])).status).toBe(200)
  expect((await ask(['x-api-key: sk-secret'])).status).toBe(200)
  expect((await ask([], '/health')).status).toBe(200)
  expect((await ask([], '/metrics')).status).toBe(401)
  const metrics = await ask(['x-api-key: sk-secret'], '/metrics')
  expect(metrics.body + lines.join('')).not.toContain('sk-secret')
  await there.close(0)
  await keyed.close()
})

test('others than this machine need a key', async () => {
  for (const address of ['0.0.0.0', '::', '192.0.2.1'])
    await expect(listen(tiny.server, { host: address, port: 0 })).rejects.toMatchObject({
      code: 'IFT_SERVE_OPEN',
    })
  await expect(listen(tiny.server, { port: at.port })).rejects.toMatchObject({ code: 'IFT_SERVE_ADDRESS' })
})

test('paths of plugins take the token of the process', async () => {
  const ask = (header: string) => raw(at.port, request('GET /api/x/notes', [host(), header]))
  expect((await ask('x-a: b')).status).toBe(401)
  expect((await ask('authorization: Bearer nothing')).status).toBe(401)
  const reply = await ask(`authorization: Bearer ${tiny.server.token}`)
  expect([reply.status, reply.body]).toEqual([200, '{"notes":[]}'])
  const elsewhere = definePlugin('elsewhere', ({ hooks }) => {
    hooks.routes.tap('elsewhere', ({ add }) => {
      add({ method: 'GET', path: '/v1/models', run: () => new Response('mine') })
    })
  })
  await expect(testServer({}, {}, [elsewhere])).rejects.toMatchObject({ code: 'IFT_PLUGIN_FAILED' })
})
