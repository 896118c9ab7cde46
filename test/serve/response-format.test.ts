// What an answer of the server is held to, by a model that would never say it.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { plugin as constraints } from '@ift/constraints'
import { plugin as cpu } from '@ift/kernels-cpu'
import { plugin as llama } from '@ift/model-llama'
import { createServer } from '@ift/serve'
import { quickstart } from '../fixture/files.js'
import { sessionsIn } from '../fixture/session.js'

const dir = mkdtempSync(join(tmpdir(), 'ift-serve-format-'))
afterAll(() => {
  rmSync(dir, { recursive: true })
})
const config = {
  weights: quickstart('model'),
  template: 'alpaca',
  device: 'cpu',
  dtype: 'f32',
  threads: 2,
} as const

test('response_format holds answers to JSON; an answer that has begun is gone on with', async () => {
  await sessionsIn(dir, [cpu, llama, constraints])(config, async (ift) => {
    const server = createServer(ift)
    await server.ready
    const ask = async (body: object) => {
      const reply = await server.fetch(
        new Request('http://localhost/v1/chat/completions', {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({
            messages: [{ role: 'user', content: 'Hi' }],
            max_tokens: 400,
            temperature: 0,
            ...body,
          }),
        }),
      )
      return (await reply.json()) as {
        choices: [{ message: { content: string } }]
        error?: { code: string; param: string }
      }
    }
    const schema = {
      type: 'object',
      properties: { n: { type: 'integer', minimum: 0, maximum: 99 }, ok: { type: 'boolean' } },
      required: ['n', 'ok'],
      additionalProperties: false,
    }
    const { choices } = await ask({
      response_format: { type: 'json_schema', json_schema: { name: 'x', schema } },
    })
    expect(JSON.parse(choices[0].message.content)).toEqual({
      n: expect.any(Number) as number,
      ok: expect.any(Boolean) as boolean,
    })
    const unknown = { type: 'object', properties: { a: { type: 'nothing' } } }
    const refused = await ask({ response_format: { type: 'json_schema', json_schema: { schema: unknown } } })
    expect(refused.error).toMatchObject({ code: 'unsupported_parameter', param: 'response_format' })
    const free = await ask({ max_tokens: 8 })
    const text = free.choices[0].message.content
    const begun = await ask({
      max_tokens: 4,
      messages: [
        { role: 'user', content: 'Hi' },
        { role: 'assistant', content: text.slice(0, 4) },
      ],
    })
    expect(begun.choices[0].message.content).not.toBe('')
    for (const more of [
      { tools: [{ type: 'function', function: { name: 'f' } }] },
      { chat_template_kwargs: { a: 1 } },
    ])
      expect((await ask(more)).error?.code).toBe('unsupported_parameter')
    await server.close()
  })
})
