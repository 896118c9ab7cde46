import { HumanMessage, ToolMessage } from '@langchain/core/messages'
import { tool } from '@langchain/core/tools'
import { ChatOpenAI, OpenAI } from '@langchain/openai'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { clientServer, question, weatherCall, type ClientServer } from './clients.fixture.js'

let at: ClientServer
beforeAll(async () => {
  at = await clientServer()
})
afterAll(() => at.close())
afterEach(() => at.say(''))

const settings = () => ({
  model: 'tiny',
  apiKey: 'none',
  temperature: 0,
  maxTokens: 12,
  maxRetries: 0,
  configuration: { baseURL: `${at.url}/v1` },
})
const chat = (more: object = {}) => new ChatOpenAI({ ...settings(), ...more })
const getWeather = tool(() => '21', {
  name: 'get_weather',
  description: 'The weather of a city.',
  schema: z.object({ city: z.string() }),
})

test('a chat, whole and as a stream', async () => {
  const whole = await chat().invoke(question)
  expect(whole.content).not.toBe('')
  expect(whole.usage_metadata!.output_tokens).toBeGreaterThan(0)
  let text = ''
  for await (const { content } of await chat().stream(question)) text += content as string
  expect(text).toBe(whole.content)
})

test('a completion', async () => {
  expect(await new OpenAI({ ...settings(), model: 'tiny' }).invoke('Tom has 3')).not.toBe('')
})

test('calls of functions', async () => {
  await at.say(weatherCall)
  const bound = chat({ maxTokens: 64 }).bindTools([getWeather])
  const call = await bound.invoke(question)
  expect(call.tool_calls).toMatchObject([{ name: 'get_weather', args: { city: 'Bern' } }])
  await at.say('It is 21 degrees.')
  const result = new ToolMessage({ content: '21', tool_call_id: call.tool_calls![0]!.id! })
  const answer = await bound.invoke([new HumanMessage(question), call, result])
  expect(answer.content).toBe('It is 21 degrees.')
})

test('an object that a schema describes', async () => {
  const schema = z.object({ apples: z.number().int().min(0).max(99) })
  const structured = chat({ maxTokens: 300 }).withStructuredOutput(schema, { method: 'jsonSchema' })
  expect(await structured.invoke(question)).toEqual({ apples: expect.any(Number) as number })
})

test('log-probabilities', async () => {
  const { response_metadata: metadata } = await chat({ logprobs: true, topLogprobs: 2 }).invoke(question)
  const { content } = metadata['logprobs'] as { content: { top_logprobs: unknown[] }[] }
  expect(content.length).toBeGreaterThan(0)
  expect(content[0]!.top_logprobs).toHaveLength(2)
})

test('an abort', async () => {
  const controller = new AbortController()
  const waiting = chat({ maxTokens: 400, modelKwargs: { ignore_eos: true } }).invoke(question, {
    signal: controller.signal,
  })
  const ended = expect(waiting).rejects.toThrow(/abort/i)
  await at.running(1)
  controller.abort()
  await ended
  await at.running(0)
})

test('an error', async () => {
  await expect(chat({ model: 'other' }).invoke(question)).rejects.toMatchObject({
    status: 404,
    code: 'model_not_found',
  })
})
