import { IftError } from '@ift/core'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { ReplyCache } from './cache.js'
import { chatUrl, JudgeClient, type ChatMessage, type JudgeOptions } from './client.js'
import { Pause, postJson } from './post.js'
import { completionOf, scriptedJudge, type Act, type ScriptedJudge } from './scripted.fixture.js'

const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0)) await end()
})

async function judged(
  acts: readonly [Act, ...Act[]],
  options: Partial<JudgeOptions> = {},
  delayMs = 0,
): Promise<{ server: ScriptedJudge; client: JudgeClient }> {
  const server = await scriptedJudge(acts, delayMs)
  ended.push(() => server.close())
  const client = new JudgeClient({
    url: server.url,
    model: 'judge',
    retryDelayMs: 1,
    attempts: 3,
    ...options,
  })
  return { server, client }
}

async function cacheIn(): Promise<{ path: string; open: () => Promise<ReplyCache> }> {
  const folder = await mkdtemp(join(tmpdir(), 'ift-judge-'))
  ended.push(() => rm(folder, { recursive: true }))
  const path = join(folder, 'deep', 'judge.jsonl')
  return {
    path,
    open: async () => {
      const cache = await ReplyCache.open(path)
      ended.unshift(() => cache.close())
      return cache
    },
  }
}

const asks = (content: string): ChatMessage[] => [{ role: 'user', content }]
const failure = (promise: Promise<unknown>): Promise<IftError> =>
  promise.then(
    () => expect.fail('it was answered'),
    (error: unknown) => {
      expect(error).toBeInstanceOf(IftError)
      return error as IftError
    },
  )
const status =
  (code: number, body = '', headers: Record<string, string> = {}): Act =>
  (response) => {
    response.writeHead(code, headers)
    response.end(body)
  }

test('a prompt is asked greedily, with the key, and its tokens are counted', async () => {
  const { server, client } = await judged(['得分:0.8'], { key: 'secret', seed: 5, maxTokens: 64 })
  expect(await client.ask(asks('好不好？'))).toMatchObject({
    text: '得分:0.8',
    cached: false,
    promptTokens: 11,
    replyTokens: 7,
  })
  expect(server.calls).toEqual([
    {
      path: '/v1/chat/completions',
      authorization: 'Bearer secret',
      body: {
        model: 'judge',
        messages: [{ role: 'user', content: '好不好？' }],
        temperature: 0,
        seed: 5,
        max_tokens: 64,
      },
    },
  ])
})

test('four calls are made at a time, and equal ones are one', async () => {
  const { server, client } = await judged(['得分:1'], {}, 20)
  const prompts = Array.from({ length: 24 }, (_, i) => asks(`question ${i % 12}`))
  await Promise.all(prompts.map((prompt) => client.ask(prompt)))
  expect(server.calls).toHaveLength(12)
  expect(client.calls).toBe(12)
  expect(server.mostOpen()).toBe(4)
})

test('what was answered is never asked again, by no later process either', async () => {
  const { open } = await cacheIn()
  const { server, client } = await judged(['得分:0.5'], { cache: await open() })
  const first = await client.ask(asks('a'))
  expect(client.has(asks('a'))).toBe(true)
  expect(client.has(asks('b'))).toBe(false)
  const later = new JudgeClient({ url: server.url, model: 'judge', cache: await open() })
  expect(await later.ask(asks('a'))).toEqual({ ...first, cached: true })
  expect(server.calls).toHaveLength(1)
  // Another judge, other settings and a repetition are other questions.
  await later.ask(asks('a'), undefined, 1)
  await new JudgeClient({ url: server.url, model: 'other', cache: await open() }).ask(asks('a'))
  await new JudgeClient({ url: server.url, model: 'judge', maxTokens: 9, cache: await open() }).ask(asks('a'))
  expect(server.calls.map(({ body }) => [body.model, body.seed, body.max_tokens])).toEqual([
    ['judge', 0, 512],
    ['judge', 1, 512],
    ['other', 0, 512],
    ['judge', 0, 9],
  ])
})

test('a busy endpoint is given the time that it asks for', async () => {
  const { server, client } = await judged([
    status(429, '{"error":{"message":"slow down"}}', { 'retry-after': '1' }),
    status(503),
    '得分:1',
  ])
  const since = performance.now()
  expect((await client.ask(asks('a'))).text).toBe('得分:1')
  expect(performance.now() - since).toBeGreaterThan(900)
  expect(server.calls).toHaveLength(3)
})

test('all callers wait where one is told to', async () => {
  const { server, client } = await judged([
    status(429, '', { 'retry-after': new Date(Date.now() + 2000).toUTCString() }),
    '得分:1',
  ])
  const first = client.ask(asks('a'))
  while (server.calls.length === 0) await new Promise((next) => setTimeout(next, 5))
  await new Promise((next) => setTimeout(next, 100))
  const since = performance.now()
  await client.ask(asks('b'))
  // The header has whole seconds.
  expect(performance.now() - since).toBeGreaterThan(500)
  await first
})

test('lost connections and replies that were cut are asked again', async () => {
  const cut: Act = (response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '500' })
    response.write('{"choices":[')
    setTimeout(() => response.destroy(), 10)
  }
  const short: Act = (response) => response.end('{"choices":[{"message"')
  const { server, client } = await judged([(response) => response.destroy(), cut, short, '得分:1'], {
    attempts: 4,
  })
  expect((await client.ask(asks('a'))).text).toBe('得分:1')
  expect(server.calls).toHaveLength(4)
})

test('an endpoint that never answers, or never begins, is an error after some attempts', async () => {
  const { server, client } = await judged([() => undefined], { timeoutMs: 50, attempts: 2 })
  const error = await failure(client.ask(asks('a')))
  expect(error.code).toBe('IFT_EVAL_ENDPOINT')
  expect(error.message).toMatch(
    /\/v1\/chat\/completions did not answer, tried 2 times: no answer within 0.05 s\.$/,
  )
  expect(server.calls).toHaveLength(2)
  // A body that drips is no answer either.
  const drip: Act = (response) => {
    response.writeHead(200)
    const timer = setInterval(() => response.write(' '), 10)
    response.on('close', () => clearInterval(timer))
  }
  const dripping = await judged([drip], { timeoutMs: 80, attempts: 1 })
  expect((await failure(dripping.client.ask(asks('a')))).message).toContain('no answer within 0.08 s')
  const gone = await judged(['x'])
  await gone.server.close()
  ended.pop()
  expect((await failure(gone.client.ask(asks('a')))).message).toMatch(/tried 3 times: .*ECONNREFUSED/)
})

test('the caller ends it', async () => {
  const { client } = await judged([() => undefined])
  const reason = new Error('enough')
  await expect(client.ask(asks('a'), AbortSignal.abort(reason))).rejects.toBe(reason)
  const controller = new AbortController()
  const reply = client.ask(asks('b'), controller.signal)
  setTimeout(() => controller.abort(reason), 30)
  await expect(reply).rejects.toBe(reason)
  // While it waits as long as the endpoint asked for, too.
  const busy = await judged([status(429, '', { 'retry-after': '60' })])
  const waiting = new AbortController()
  const late = busy.client.ask(asks('c'), waiting.signal)
  setTimeout(() => waiting.abort(reason), 100)
  await expect(late).rejects.toBe(reason)
})

test('what will not pass is said at once', async () => {
  const page = '<!DOCTYPE html><html><head><title>Sign in</title></head></html>'
  const cases: [Act, RegExp, RegExp][] = [
    [
      status(200, page, { 'content-type': 'text/html' }),
      /HTTP 200 with a page of HTML \("Sign in"\)/,
      /\/v1/,
    ],
    [status(404, page), /HTTP 404 with a page of HTML/, /--judge-url/],
    [status(401, '{"error":{"message":"bad\\nkey"}}'), /HTTP 401: bad key\.$/, /IFT_JUDGE_KEY/],
    [status(404, '{"error":"no such model"}'), /HTTP 404: no such model/, /--judge-model/],
    [status(400, '{"message":"bad field"}'), /HTTP 400: bad field/, /address/],
    [status(307, '', { location: 'http://elsewhere.example/' }), /sends on to http:\/\/elsewhere/, /address/],
    [status(429, '', { 'retry-after': '7200' }), /asks to wait 7200 s/, /again/],
    [status(429, '{"error":{"code":"insufficient_quota","message":"pay"}}'), /HTTP 429: pay/, /kept/],
    [status(200, '{"choices":[]}'), /no chat completion/, /API/],
    [status(200, '[1]'), /no chat completion/, /API/],
    [status(200, 'x'.repeat((1 << 20) + 1)), /more than 1048576 bytes/, /address/],
  ]
  for (const [act, message, hint] of cases) {
    const { server, client } = await judged([act])
    const error = await failure(client.ask(asks('a')))
    expect(error.code).toBe('IFT_EVAL_ENDPOINT')
    expect(error.message).toMatch(message)
    expect(error.hint).toMatch(hint)
    expect(server.calls).toHaveLength(1)
  }
})

test('hints name the options of whoever asks', async () => {
  const server = await scriptedJudge([status(401), status(404), status(200, '<html></html>')])
  ended.push(() => server.close())
  const named = { url: '--endpoint', model: '--model', key: 'OTHER_KEY' }
  const options = { key: null, timeoutMs: 1000, attempts: 1, retryDelayMs: 1, named }
  const hints = []
  for (let i = 0; i < 3; i++) hints.push((await failure(postJson(server.url, {}, new Pause(), options))).hint)
  expect(hints).toEqual([
    'Set the key of the endpoint: export OTHER_KEY=…',
    'Check the address, which often ends in /v1, and the name of the model: --endpoint, --model',
    'The address is that of an API, which often ends in /v1: --endpoint http://127.0.0.1:8410/v1',
  ])
})

test('a prompt that is refused has no reply, and the next one has', async () => {
  const { open } = await cacheIn()
  const cache = await open()
  const { client } = await judged(
    [status(400, '{"error":{"code":"context_length_exceeded","message":"too long"}}'), '得分:1'],
    { cache },
  )
  expect(await client.ask(asks('long'))).toMatchObject({ text: '', promptTokens: 0 })
  expect(cache.size).toBe(0)
  expect((await client.ask(asks('b'))).text).toBe('得分:1')
})

test('usage may be missing or nonsense, and a reply may have no text', async () => {
  const reply =
    (value: unknown): Act =>
    (response) =>
      response.end(JSON.stringify(value))
  const { client } = await judged([
    reply({ ...completionOf('x'), usage: undefined }),
    reply({ ...completionOf('x'), usage: { prompt_tokens: -5, completion_tokens: 'many' } }),
    reply({ choices: [{ message: { content: null } }], usage: { prompt_tokens: 3 } }),
  ])
  expect(await client.ask(asks('a'))).toMatchObject({ text: 'x', promptTokens: 0, replyTokens: 0 })
  expect(await client.ask(asks('b'))).toMatchObject({ text: 'x', promptTokens: 0, replyTokens: 0 })
  expect(await client.ask(asks('c'))).toMatchObject({ text: '', promptTokens: 3, replyTokens: 0 })
})

test('addresses with and without the path, and none', () => {
  expect(chatUrl('http://127.0.0.1:8000/v1/')).toBe('http://127.0.0.1:8000/v1/chat/completions')
  expect(chatUrl('https://x.example/v1/chat/completions')).toBe('https://x.example/v1/chat/completions')
  expect(chatUrl('https://x.example/v1?version=2')).toBe('https://x.example/v1/chat/completions?version=2')
  for (const wrong of ['127.0.0.1:8000', 'ftp://x/v1', '', 'http://me:secret@x.example/v1']) {
    expect(() => chatUrl(wrong)).toThrow(/address of the judge/)
    expect(() => chatUrl(wrong)).not.toThrow(/secret/)
  }
})
