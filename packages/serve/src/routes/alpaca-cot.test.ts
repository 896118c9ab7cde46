import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testServer, type TestServer } from '../server.fixture.js'

describe('with alpacaCot', () => {
  let tiny: TestServer
  beforeAll(async () => {
    tiny = await testServer({ alpacaCot: true }, { generate: { maxNewTokens: 16, numBeams: 2 } })
  })
  afterAll(() => tiny.close())

  test('GET /', async () => {
    expect(await (await tiny.get('/')).json()).toEqual({ Hello: 'World' })
  })

  test('POST / answers as generate does', async () => {
    const instruction = 'Tom has 3 apples and buys 4 more. How many apples has he?'
    const response = await tiny.post('/', { prompt: instruction })
    expect(response.status).toBe(200)
    const reply = (await response.json()) as { response: string; status: number; time: string }
    const generator = await tiny.ift.createGenerator(await tiny.ift.openModel())
    const { text } = await generator.generate({ instruction, input: '' }, tiny.ift.config.generate)
    expect(text).not.toBe('')
    expect(reply).toEqual({ response: text, status: 200, time: expect.any(String) as string })
    expect(reply.time).toMatch(/^2026-09-2[12] \d\d:\d\d:\d\d$/)
    // It is counted as any other answer.
    expect(await (await tiny.get('/metrics')).text()).toMatch(/^ift_request_success_total\{.*\} 1$/m)
  })

  test.each([[{}], [{ prompt: '' }], [{ prompt: 1 }]])('POST / with %j', async (body) => {
    const response = await tiny.post('/', body)
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ error: { code: 'invalid_value', param: 'prompt' } })
  })

  test.each(['hello', 'a/b', '?x=y'])('GET /query/%s is refused', async (query) => {
    const response = await tiny.get(`/query/${query}`)
    expect(response.status).toBe(405)
    expect(response.headers.get('allow')).toBe('POST')
    expect(await response.json()).toMatchObject({ error: { code: 'method_not_allowed' } })
  })

  test('the others are there too', async () => {
    expect((await tiny.get('/v1/models')).status).toBe(200)
  })
})

test('without it there are no such paths', async () => {
  const tiny = await testServer()
  try {
    expect((await tiny.post('/', { prompt: 'x' })).status).toBe(404)
    expect((await tiny.get('/query/x')).status).toBe(404)
  } finally {
    await tiny.close()
  }
})
