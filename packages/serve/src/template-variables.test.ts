// Variables of a request on their way into the checkpoint's chat template.
import { rmSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { modelWithTemplate, testServer, type TestServer } from './server.fixture.js'

/** As Qwen3 writes it: thoughts that are not wanted have been thought already. */
const template = `{% if note is defined %}{{ note }}{% endif %}{% if tools %}{{ tools | tojson }}{% endif -%}
{% for m in messages %}{{ m.role }}: {{ m.content }}
{% endfor %}{% if reasoning_effort is defined %}effort {{ reasoning_effort }}
{% endif %}{% if add_generation_prompt %}assistant:{% if enable_thinking is defined and enable_thinking is false %} <think>

</think>

{% endif %}{% endif %}`

const messages = [{ role: 'user', content: 'Tom has 3' }]
let weights: string
let tiny: TestServer
let other: TestServer
beforeAll(async () => {
  weights = modelWithTemplate(template)
  tiny = await testServer({}, { weights, template: 'chat' })
  other = await testServer()
})
afterAll(async () => {
  await tiny.close()
  await other.close()
  rmSync(weights, { recursive: true })
})

const tokens = async (body: object, server = tiny) => {
  const reply = await server.post('/tokenize', { messages, ...body })
  expect(reply.status).toBe(200)
  return ((await reply.json()) as { tokens: number[] }).tokens
}
const prompt = async (variables: object) => {
  const reply = await tiny.post('/detokenize', { tokens: await tokens({ chat_template_kwargs: variables }) })
  return ((await reply.json()) as { prompt: string }).prompt
}
const chat = (body: object, server = tiny) =>
  server.post('/v1/chat/completions', { messages, max_tokens: 1, ...body })
const promptTokens = async (body: object) => {
  const reply = await chat(body)
  return ((await reply.json()) as { usage: { prompt_tokens: number } }).usage.prompt_tokens
}

test('the template reads them', async () => {
  const [thinking, absent, silent] = [
    await prompt({ enable_thinking: true }),
    await prompt({}),
    await prompt({ enable_thinking: false }),
  ]
  expect(thinking).toBe(absent)
  expect(absent).not.toContain('</think>')
  expect(silent).toContain('<think>\n\n</think>\n\n')
  expect(await prompt({ note: [{ a: 1, b: 'x' }] })).toContain("[{'a': 1, 'b': 'x'}]")
})

test('chats are answered behind what it wrote, whole and in pieces', async () => {
  const variables = { chat_template_kwargs: { enable_thinking: false } }
  const expected = (await tokens(variables)).length
  expect(expected).toBeGreaterThan((await tokens({})).length)
  expect(await promptTokens(variables)).toBe(expected)
  const reply = await chat({ ...variables, stream: true, stream_options: { include_usage: true } })
  expect(await reply.text()).toContain(`"prompt_tokens":${expected}`)
})

test('reasoning_effort is one of them where the template reads it, and no mistake elsewhere', async () => {
  const low = await promptTokens({ reasoning_effort: 'low' })
  expect(low).toBeGreaterThan(await promptTokens({}))
  const both = { reasoning_effort: 'low', chat_template_kwargs: { reasoning_effort: 'low low low' } }
  expect(await promptTokens(both)).toBeGreaterThan(low)
  const elsewhere = await chat({ reasoning_effort: 'low' }, other)
  expect(elsewhere.status).toBe(200)
  expect(elsewhere.headers.get('x-ift-ignored')).toBe('reasoning_effort')
})

test('the text of a special token is a text in them', async () => {
  const end = 2
  const there = (await tokens({})).filter((id) => id === end).length
  const note = await tokens({ chat_template_kwargs: { note: ['a</s>b'] } })
  expect(note.filter((id) => id === end)).toHaveLength(there)
  const key = await tokens({ chat_template_kwargs: { note: { 'a</s>b': 1 } } })
  expect(key.filter((id) => id === end)).toHaveLength(there)
})

describe('refused', () => {
  let deep: unknown = 1
  for (let i = 0; i < 16; i++) deep = [deep]
  test.each([
    [{ messages: [] }, 'expected names that are no fields'],
    [{ add_generation_prompt: false }, 'expected names that are no fields'],
    [{ 'a.b': 1 }, 'expected names of letters'],
    [{ __proto: 1 }, 'expected names of letters'],
    [{ ['x'.repeat(65)]: 1 }, 'expected names of letters'],
    [{ note: 'x'.repeat(17_000) }, 'at most 16384 bytes'],
    [{ note: deep }, 'at most 16 levels'],
    ['{}', 'expected record'],
  ])('%#', async (variables, message) => {
    const reply = await chat({ chat_template_kwargs: variables })
    const text = await reply.text()
    expect([reply.status, text]).toEqual([400, expect.stringContaining(message)])
    expect(text).toContain('chat_template_kwargs')
  })

  test('where the template is none of the checkpoint', async () => {
    const reply = await chat({ chat_template_kwargs: { enable_thinking: false } }, other)
    expect(reply.status).toBe(400)
    expect(await reply.json()).toMatchObject({
      error: { code: 'unsupported_parameter', param: 'chat_template_kwargs' },
    })
    expect((await chat({ chat_template_kwargs: {} }, other)).status).toBe(200)
  })

  test('names that the template does not read are told, and refused by a strict server', async () => {
    const reply = await chat({ chat_template_kwargs: { enable_thinking: false, preset: 1 } })
    expect([reply.status, reply.headers.get('x-ift-ignored')]).toEqual([200, 'chat_template_kwargs.preset'])
    const strict = await testServer({ strict: true }, { weights, template: 'chat' })
    expect((await chat({ chat_template_kwargs: { preset: 1 } }, strict)).status).toBe(400)
    expect((await chat({ chat_template_kwargs: { note: 1 } }, strict)).status).toBe(200)
    await strict.close()
  })
})
