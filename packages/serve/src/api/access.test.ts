// Who reaches the page's own paths, and what the page may do.
import { mkdtempSync, rmSync, statSync, writeFileSync, mkdirSync, chmodSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Ift } from '@ift/core'
import { createServer, type Server } from '../server.js'
import { keptToken } from '../page-token.js'

const dir = mkdtempSync(join(tmpdir(), 'ift-access-'))
let ift: Ift
let server: Server
beforeAll(async () => {
  mkdirSync(join(dir, 'ui'))
  writeFileSync(join(dir, 'ui/index.html'), '<!doctype html><script src="./app-ABCDEFGH.js"></script>')
  writeFileSync(join(dir, 'ui/app-ABCDEFGH.js'), '')
  ift = await Ift.load({ cwd: dir, config: {} })
  server = createServer(ift, {
    withoutModel: true,
    allowOrigins: ['https://chat.example'],
    page: { folder: join(dir, 'ui'), program: null },
  })
  server.bind({ host: '127.0.0.1', port: 8410 })
})
afterAll(async () => {
  await server.close()
  await ift.close()
  rmSync(dir, { recursive: true })
})

const ask = (path: string, init: RequestInit = {}) =>
  server.fetch(
    new Request(new URL(path, 'http://127.0.0.1:8410'), {
      ...init,
      headers: { host: '127.0.0.1:8410', ...(init.headers as Record<string, string> | undefined) },
    }),
  )
const own = 'http://127.0.0.1:8410'
const post = (body: unknown, headers: Record<string, string> = {}): RequestInit => ({
  method: 'POST',
  body: JSON.stringify(body),
  headers: { 'content-type': 'application/json', ...headers },
})
const cookie = async () =>
  (await ask('/api/session', post({ token: server.token }, { origin: own }))).headers.get('set-cookie')!

describe('the token', () => {
  test('without it nothing of /api is answered', async () => {
    for (const path of ['/api/machine', '/api/runs', '/api/data', '/api/schema', '/api/nothing'])
      expect((await ask(path)).status, path).toBe(401)
    expect((await ask('/api/plan', post({ config: {} }))).status).toBe(401)
    const wrong = { authorization: `Bearer ${server.token.slice(0, -1)}x` }
    expect((await ask('/api/machine', { headers: wrong })).status).toBe(401)
    expect((await ask('/api/session', post({ token: 'x' }))).status).toBe(401)
    expect((await ask(`/api/machine?token=${server.token}`)).status).toBe(401)
  })

  test('is exchanged for a cookie that scripts and other sites do not have', async () => {
    const set = await cookie()
    expect(set).toMatch(/^ift_8410=[\w-]{22}; Path=\/; HttpOnly; SameSite=Strict$/)
    const [pair] = set.split(';')
    const reply = await ask('/api/machine', {
      headers: { cookie: `a=b; ${pair}`, 'sec-fetch-site': 'same-origin' },
    })
    expect(reply.status).toBe(200)
    expect(reply.headers.get('cache-control')).toBe('no-store')
    expect(reply.headers.get('x-content-type-options')).toBe('nosniff')
    // Of another server on this machine.
    expect((await ask('/api/machine', { headers: { cookie: pair!.replace('8410', '8411') } })).status).toBe(
      401,
    )
    const gone = await ask('/api/session', { method: 'DELETE', headers: { origin: own } })
    expect(gone.headers.get('set-cookie')).toContain('Max-Age=0')
  })

  test('the cookie is for our page alone: same-site pages at other ports change and read nothing', async () => {
    const [pair] = (await cookie()).split(';')
    const change = (headers: Record<string, string>) =>
      ask('/api/command', post({ config: {} }, { cookie: pair!, ...headers }))
    expect((await change({ origin: own })).status).toBe(200)
    expect((await change({ 'sec-fetch-site': 'same-origin' })).status).toBe(200)
    // Our own page, at the name of a proxy.
    const proxied = { origin: 'https://chat.example', 'sec-fetch-site': 'same-origin' }
    expect((await change(proxied)).status).toBe(200)
    for (const headers of [
      {},
      { 'sec-fetch-site': 'same-site' },
      { origin: 'http://127.0.0.1:3000' },
      { origin: 'null' },
      { origin: 'https://chat.example' },
      { 'sec-fetch-site': 'cross-site' },
    ])
      expect((await change(headers as Record<string, string>)).status, JSON.stringify(headers)).toBe(403)
    for (const site of ['same-site', 'cross-site'])
      expect((await ask('/api/machine', { headers: { cookie: pair!, 'sec-fetch-site': site } })).status).toBe(
        403,
      )
  })

  test('a form, or text, is no request', async () => {
    const headers = { authorization: `Bearer ${server.token}` }
    for (const type of ['text/plain', 'application/x-www-form-urlencoded'])
      expect((await ask('/api/plan', post({}, { ...headers, 'content-type': type }))).status).toBe(415)
    expect((await ask('/api/runs', post('x'.repeat(5 * 1024 * 1024), headers))).status).toBe(413)
    expect((await ask('/api/runs', { method: 'PUT', headers })).status).toBe(405)
  })

  test('is kept in a file that the user alone can read, and made anew where others could', () => {
    const folder = join(dir, 'cache')
    const token = keptToken(folder)
    expect(keptToken(folder)).toBe(token)
    expect(statSync(join(folder, 'page-token')).mode & 0o777).toBe(0o600)
    chmodSync(join(folder, 'page-token'), 0o644)
    expect(keptToken(folder)).not.toBe(token)
  })
})

test('the page: its policy, names with hashes for ever, the first file never', async () => {
  const index = await ask('/')
  expect(index.status).toBe(200)
  const policy = index.headers.get('content-security-policy')!
  for (const part of [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ])
    expect(policy).toContain(part)
  expect(policy).not.toContain('unsafe')
  expect(index.headers.get('cache-control')).toBe('no-cache')
  expect(index.headers.get('referrer-policy')).toBe('no-referrer')
  const script = await ask('/app-ABCDEFGH.js')
  expect(script.headers.get('cache-control')).toContain('immutable')
  expect(script.headers.get('content-type')).toContain('text/javascript')
  for (const path of ['/../page-token', '/%2e%2e/x', '/index.html/..', '/ui/index.html', '/app.js'])
    expect((await ask(path)).status, path).toBeGreaterThanOrEqual(path === '/index.html/..' ? 200 : 404)
  expect(await (await ask('/')).text()).not.toContain(server.token)
})

test('without the page / says how to install it, and without a model /v1 says so', async () => {
  const bare = createServer(ift, { withoutModel: true, page: { folder: null, program: null } })
  const at = (path: string, init?: RequestInit) =>
    bare.fetch(new Request(new URL(path, 'http://localhost'), init))
  expect(await (await at('/')).text()).toContain('npm install @ift/web')
  expect((await at('/health')).status).toBe(200)
  const chat = await at('/v1/models')
  expect([chat.status, ((await chat.json()) as { error: { code: string } }).error.code]).toEqual([
    503,
    'no_model',
  ])
  const started = await at('/api/runs', post({ config: {} }, { authorization: `Bearer ${bare.token}` }))
  expect([started.status, ((await started.json()) as { error: { code: string } }).error.code]).toEqual([
    409,
    'cannot_start',
  ])
  await bare.close()
})
