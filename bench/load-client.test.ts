import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { percentile, streamCompletion } from './load-client.mjs'

let reply = ''
const server = createServer((_, response) => {
  response.setHeader('content-type', 'text/event-stream')
  // Events are cut anywhere.
  for (const part of reply.match(/[^]{1,7}/g) ?? []) response.write(part)
  response.end()
})
beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)))
afterAll(() => server.close())
const ask = () => streamCompletion(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, {})

const event = (data: unknown) => `data: ${JSON.stringify(data)}\n\n`
const text = (text: string, finish_reason: string | null = null) =>
  event({ choices: [{ text, finish_reason }] })

test('tokens, gaps and the end of a stream are counted', async () => {
  reply = `: ping\n\n${text('ä')}${text('b')}${text('', 'length')}${event({ choices: [], usage: { completion_tokens: 2 } })}data: [DONE]\n\n`
  const { gaps, tokens, finish, first } = await ask()
  expect([gaps.length, tokens, finish]).toEqual([1, 2, 'length'])
  expect(first).toBeGreaterThan(0)
})

test('an error and a stream that breaks off are no answers', async () => {
  reply = text('a') + event({ error: { message: 'no' } })
  await expect(ask()).rejects.toThrow('no')
  reply = text('a')
  await expect(ask()).rejects.toThrow('without [DONE]')
})

test('percentiles are values that were seen', () => {
  const values = Array.from({ length: 100 }, (_, i) => 100 - i)
  expect([percentile(values, 0.5), percentile(values, 0.99), percentile([3], 0.99)]).toEqual([50, 99, 3])
})
