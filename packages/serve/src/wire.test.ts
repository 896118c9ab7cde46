// Replies byte for byte, but for the last digits of log-probabilities, which are the processor's.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { testServer, type TestServer } from './server.fixture.js'

let tiny: TestServer
beforeAll(async () => {
  tiny = await testServer()
})
afterAll(() => tiny.close())

const messages = [
  { role: 'system', content: 'Answer with a number.' },
  { role: 'user', content: 'Tom has 3 apples and buys 4 more. How many apples does Tom have?' },
]
const chat = { messages, max_tokens: 6, temperature: 0 }
const text = { prompt: 'Tom has 3 apples', max_tokens: 4, temperature: 0 }
const usage = { stream: true, stream_options: { include_usage: true } }

/** Numbers of two digits behind the point, and no version of ift. */
const rounded = (body: string) =>
  body
    .replace(/-?\d+\.\d{3,}(e-?\d+)?/g, (digits) =>
      Number(digits)
        .toFixed(2)
        .replace(/^-0\.00$/, '0.00'),
    )
    .replace(/"ift_[\d.]+_/g, '"ift_0.0.0_')

test.each([
  ['chat', '/v1/chat/completions', chat],
  ['chat-two', '/v1/chat/completions', { ...chat, n: 2, stop: ['has'] }],
  ['chat-logprobs', '/v1/chat/completions', { ...chat, max_tokens: 2, logprobs: true, top_logprobs: 2 }],
  ['chat-stream', '/v1/chat/completions', { ...chat, ...usage }],
  ['chat-stream-logprobs', '/v1/chat/completions', { ...chat, max_tokens: 2, logprobs: true, stream: true }],
  ['completion', '/v1/completions', text],
  ['completion-echo', '/v1/completions', { ...text, max_tokens: 1, logprobs: 1, echo: true }],
  ['completion-stream', '/v1/completions', { ...text, ...usage, logprobs: 0 }],
  ['completion-lists', '/v1/completions', { ...text, prompt: [[100, 101], [102]], max_tokens: 1 }],
  ['error-value', '/v1/chat/completions', { ...chat, temperature: -1 }],
  ['error-model', '/v1/chat/completions', { ...chat, model: 'gpt-4o' }],
  ['error-length', '/v1/completions', { prompt: Array.from({ length: 600 }, () => 5) }],
  ['error-json', '/v1/completions', '{"prompt": '],
  ['error-path', '/v1/nothing', {}],
  ['tokenize', '/tokenize', { prompt: 'Tom has 3', add_special_tokens: false, return_token_strs: true }],
  ['detokenize', '/detokenize', { tokens: [1, 100, 101] }],
])('%s', async (name, path, body) => {
  // Ids begin anew.
  const server = name === 'chat' ? tiny : await testServer()
  const reply = await server.post(path, body)
  const head = ['content-type', 'cache-control', 'x-accel-buffering', 'x-should-retry', 'x-ift-model']
    .flatMap((header) => (reply.headers.has(header) ? [`${header}: ${reply.headers.get(header)!}\n`] : []))
    .join('')
  const whole = `${reply.status}\n${head}\n${rounded(await reply.text())}\n`
  await expect(whole).toMatchFileSnapshot(`../../../fixtures/wire/${name}.txt`)
  if (server !== tiny) await server.close()
})
