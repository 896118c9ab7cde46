// The document says what is answered: every reply of the wire fixtures, and what they do not have.
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { z } from 'zod'
import * as replies from './schema/replies.js'
import { script } from './scripted.fixture.js'
import { modelWithTemplate, testServer, type TestServer } from './server.fixture.js'

const fixtures = fileURLToPath(new URL('../../../fixtures/wire/', import.meta.url))

/** JSON of the events of a stream. */
const events = (body: string) =>
  body
    .split('\n\n')
    .filter((event) => event.startsWith('data: {'))
    .map((event) => JSON.parse(event.slice(6)) as unknown)

const replyOf: Readonly<Record<string, readonly [whole: z.ZodType, chunk?: z.ZodType]>> = {
  chat: [replies.chatReply, replies.chatChunk],
  completion: [replies.completionReply, replies.completionChunk],
  error: [replies.errorReply],
  tokenize: [replies.tokenizeReply],
  detokenize: [replies.detokenizeReply],
}

test.each(readdirSync(fixtures))('%s', (file) => {
  const [whole, chunk] = replyOf[/^[a-z]+/.exec(file)![0]]!
  const text = readFileSync(fixtures + file, 'utf8')
  const body = text.slice(text.indexOf('\n\n') + 2)
  if (!body.startsWith('data: ')) whole.parse(JSON.parse(body))
  else for (const event of events(body)) chunk!.parse(event)
})

const template = `{% for tool in tools or [] %}{{ tool | tojson }}{% endfor %}{% for m in messages %}### {{ m.role }}
{{ m.content or '' }}{% for call in m.tool_calls or [] %}<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>{% endfor %}
{% endfor %}### assistant
<think>
`
const scripted = script()
let weights: string
let tiny: TestServer
beforeAll(async () => {
  weights = modelWithTemplate(template)
  tiny = await testServer({}, { weights, template: 'chat' }, [scripted.plugin])
})
afterAll(async () => {
  await tiny.close()
  rmSync(weights, { recursive: true })
})

test('calls and thoughts', async () => {
  await scripted.say(
    tiny.ift,
    'The weather is asked for.</think>\n\n<tool_call>\n{"name": "weather", "arguments": {"city": "Bern"}}\n</tool_call>',
  )
  const asked = {
    messages: [{ role: 'user', content: 'How is Bern?' }],
    tools: [{ type: 'function', function: { name: 'weather', parameters: { type: 'object' } } }],
    max_tokens: 200,
  }
  const reply: unknown = await (await tiny.post('/v1/chat/completions', asked)).json()
  expect(replies.chatReply.parse(reply)).toMatchObject({
    choices: [
      {
        message: { reasoning_content: 'The weather is asked for.', tool_calls: [{ type: 'function' }] },
        finish_reason: 'tool_calls',
      },
    ],
  })
  const stream = await (await tiny.post('/v1/chat/completions', { ...asked, stream: true })).text()
  const chunks = events(stream).map((event) => replies.chatChunk.parse(event))
  const deltas = chunks.flatMap(({ choices }) => choices.map(({ delta }) => delta))
  expect(deltas.some(({ tool_calls }) => tool_calls !== undefined)).toBe(true)
  expect(deltas.some(({ reasoning_content }) => reasoning_content !== undefined)).toBe(true)
})

test.each([
  ['/v1/models', replies.modelsReply],
  ['/v1/models/tiny', replies.modelReply],
  ['/tokenizer_info', replies.tokenizerReply],
  ['/health', replies.healthReply],
  ['/version', replies.versionReply],
  ['/nothing', replies.errorReply],
] as const)('%s', async (path, schema) => {
  schema.parse(await (await tiny.get(path)).json())
})

test('every path has a reply, and no schema refers to another place', async () => {
  const text = await (await tiny.get('/openapi.json')).text()
  const { paths } = JSON.parse(text) as {
    paths: Record<
      string,
      Record<'get' | 'post', { responses: { 200: { content: Record<string, { schema: object }> } } }>
    >
  }
  for (const [path, methods] of Object.entries(paths))
    for (const { responses } of [methods.get, methods.post].filter(Boolean)) {
      const [first] = Object.values(responses[200].content)
      expect(Object.keys(first!.schema), path).toContain('type')
    }
  expect(text).not.toContain('$ref')
})
