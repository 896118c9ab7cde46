import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { APICallError, generateText, jsonSchema, Output, stepCountIs, streamText, tool } from 'ai'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { clientServer, question, weather, weatherCall, type ClientServer } from './clients.fixture.js'

let at: ClientServer
beforeAll(async () => {
  at = await clientServer()
})
afterAll(() => at.close())
afterEach(() => at.say(''))

const model = () =>
  createOpenAICompatible({
    name: 'ift',
    baseURL: `${at.url}/v1`,
    includeUsage: true,
    supportsStructuredOutputs: true,
  })('tiny')
const asked = () => ({ model: model(), prompt: question, temperature: 0, maxOutputTokens: 12, maxRetries: 0 })

test('a text, whole and as a stream', async () => {
  const whole = await generateText(asked())
  expect(whole.text).not.toBe('')
  const stream = streamText(asked())
  let text = ''
  for await (const delta of stream.textStream) text += delta
  expect(text).toBe(whole.text)
  expect(await stream.finishReason).toBe(whole.finishReason)
  const usage = await stream.usage
  expect(usage.inputTokens).toBe(whole.usage.inputTokens)
  expect(usage.outputTokens).toBe(whole.usage.outputTokens)
  expect(usage.outputTokens).toBeGreaterThan(0)
})

test('a function is called with what the model gave, and its result goes back', async () => {
  await at.say(weatherCall)
  const cities: string[] = []
  const result = await generateText({
    ...asked(),
    maxOutputTokens: 64,
    stopWhen: stepCountIs(2),
    tools: {
      get_weather: tool({
        description: weather.function.description,
        inputSchema: jsonSchema<{ city: string }>(weather.function.parameters as never),
        execute: async ({ city }) => {
          cities.push(city)
          await at.say('It is 21 degrees.')
          return '21'
        },
      }),
    },
  })
  expect(cities).toEqual(['Bern'])
  expect(result.text).toBe('It is 21 degrees.')
})

test('a call as a stream', async () => {
  await at.say(weatherCall)
  const stream = streamText({
    ...asked(),
    maxOutputTokens: 64,
    tools: { get_weather: tool({ inputSchema: jsonSchema(weather.function.parameters as never) }) },
  })
  const calls = await stream.toolCalls
  expect(calls).toMatchObject([{ toolName: 'get_weather', input: { city: 'Bern' } }])
  expect(await stream.finishReason).toBe('tool-calls')
})

test('an object that a schema describes', async () => {
  const schema = jsonSchema<{ apples: number }>({
    type: 'object',
    properties: { apples: { type: 'integer', minimum: 0, maximum: 99 } },
    required: ['apples'],
    additionalProperties: false,
  })
  const { output } = await generateText({
    ...asked(),
    maxOutputTokens: 300,
    output: Output.object({ schema }),
  })
  expect(output).toEqual({ apples: expect.any(Number) as number })
})

test('an abort', async () => {
  const controller = new AbortController()
  const waiting = generateText({
    ...asked(),
    maxOutputTokens: 400,
    providerOptions: { ift: { ignore_eos: true } },
    abortSignal: controller.signal,
  })
  const ended = expect(waiting).rejects.toMatchObject({ name: 'AbortError' })
  await at.running(1)
  controller.abort()
  await ended
  await at.running(0)
})

test('an error keeps its message and status', async () => {
  const other = createOpenAICompatible({ name: 'ift', baseURL: `${at.url}/v1` })('other')
  const error: unknown = await generateText({ model: other, prompt: question, maxRetries: 0 }).catch(
    (cause: unknown) => cause,
  )
  expect(APICallError.isInstance(error) && [error.statusCode, error.isRetryable]).toEqual([404, false])
  expect((error as Error).message).toContain('There is no model "other"')
})
