import { afterAll, beforeAll, expect, test } from 'vitest'
import { testServer, type TestServer } from '../server.fixture.js'
import { createServer } from '../server.js'

let tiny: TestServer
beforeAll(async () => {
  tiny = await testServer()
})
afterAll(() => tiny.close())

const json = async (reply: Response) => (await reply.json()) as Record<string, unknown>

test('a server that loads says so, and answers then', async () => {
  const server = createServer(tiny.ift)
  const ask = () => server.fetch(new Request('http://localhost/health'))
  const loading = await ask()
  expect(loading.status).toBe(503)
  expect(await json(loading)).toMatchObject({ error: { code: 'loading', type: 'server_error' } })
  await server.ready
  expect(await json(await ask())).toEqual({ status: 'ok' })
  await server.close()
  expect((await ask()).status).toBe(503)
})

test('the numbers are those of the requests, in the text format of Prometheus', async () => {
  const asked = { prompt: 'Tom has 3 apples and buys 4 more. How many', max_tokens: 5, ignore_eos: true }
  for (let i = 0; i < 2; i++) await tiny.post('/v1/completions', asked)
  const text = await (await tiny.get('/metrics')).text()
  expect(text).toContain('ift_generation_tokens_total 10\n')
  expect(text).toContain('ift_request_success_total{finished_reason="length",model_name="tiny"} 2\n')
  expect(text).toContain('ift_inter_token_latency_seconds_count 8\n')
  expect(text).toContain('ift_time_to_first_token_seconds_count 2\n')
  for (const line of text.trimEnd().split('\n'))
    expect(line).toMatch(/^(# (HELP|TYPE) ift_\w+ .+|ift_\w+(\{[^{}]*\})? [\d.e+-]+)$/)
})

test('every path that is described is there, and reads what its schema says', async () => {
  const { paths } = (await json(await tiny.get('/openapi.json'))) as {
    paths: Record<
      string,
      Partial<
        Record<
          'get' | 'post',
          { requestBody?: { content: Record<string, { schema: { required?: string[] } }> } }
        >
      >
    >
  }
  for (const [path, { get, post }] of Object.entries(paths)) {
    const there = path.replace('{id}', 'tiny')
    if (get) expect((await tiny.get(there)).status).toBe(200)
    const schema = post?.requestBody?.content['application/json']?.schema
    if (schema) expect((await tiny.post(there, {})).status).toBe(400)
  }
  expect(Object.keys(paths)).toHaveLength(12)
})

test('fields that are not known are named, and refused where that was asked for', async () => {
  const asked = { prompt: 'a', max_tokens: 1, user: 'me', mirostat: 2 }
  const reply = await tiny.post('/v1/completions', asked)
  expect(reply.headers.get('x-ift-ignored')).toBe('mirostat')
  const strict = await testServer({ strict: true })
  const refused = await strict.post('/v1/completions', asked)
  expect(await json(refused)).toMatchObject({ error: { code: 'unsupported_parameter', param: 'mirostat' } })
  await strict.close()
})

test('tokens of a text and of a conversation, and back', async () => {
  const plain = await json(await tiny.post('/tokenize', { content: 'Tom has 3', add_special_tokens: false }))
  const framed = await json(await tiny.post('/tokenize', { prompt: 'Tom has 3' }))
  expect(framed['tokens']).toEqual([1, ...(plain['tokens'] as number[])])
  expect(await json(await tiny.post('/detokenize', { tokens: plain['tokens'] }))).toEqual({
    prompt: 'Tom has 3',
  })
  const chat = await json(await tiny.post('/tokenize', { messages: [{ role: 'user', content: 'Hi' }] }))
  expect(chat['count']).toBeGreaterThan(10)
  expect((await tiny.post('/tokenize', {})).status).toBe(400)
  expect(await json(await tiny.get('/tokenizer_info'))).toMatchObject({ eos_token: '</s>', bos_token: '<s>' })
})
