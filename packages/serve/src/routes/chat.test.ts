import { afterAll, beforeAll, expect, test } from 'vitest'
import { testServer, type TestServer } from '../server.fixture.js'

let tiny: TestServer
beforeAll(async () => {
  tiny = await testServer()
})
afterAll(() => tiny.close())

const messages = [{ role: 'user', content: 'Tom has 3 apples and buys 4 more. How many apples has he?' }]

test('a chat is answered, whole and in pieces', async () => {
  const asked = { messages, max_tokens: 12, temperature: 0 }
  const whole = await tiny.post('/v1/chat/completions', asked)
  expect(whole.status).toBe(200)
  const reply = (await whole.json()) as { choices: [{ message: { content: string } }] }
  const stream = await tiny.post('/v1/chat/completions', { ...asked, stream: true })
  const events = (await stream.text()).split('\n\n').filter((event) => event !== '')
  expect(events.at(-1)).toBe('data: [DONE]')
  const deltas = events
    .slice(0, -1)
    .map((event) => JSON.parse(event.slice(6)) as { choices: [{ delta: { content?: string } }] })
  const text = deltas.map(({ choices: [{ delta }] }) => delta.content ?? '').join('')
  expect(text).toBe(reply.choices[0].message.content)
})
