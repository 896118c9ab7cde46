import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import * as six from 'openai'
import * as seven from 'openai-7'
import { clientServer, question, weather, weatherCall, type ClientServer } from './clients.fixture.js'

let at: ClientServer
beforeAll(async () => {
  at = await clientServer()
})
afterAll(() => at.close())
afterEach(() => at.say(''))

const messages = [{ role: 'user' as const, content: question }]
const greedy = { model: 'tiny', messages, temperature: 0, max_tokens: 12 }

// The newer one has the same interface.
const versions = [
  ['openai 6', six],
  ['openai 7', seven as unknown as typeof six],
] as const

describe.each(versions)('%s', (_, { OpenAI, NotFoundError, BadRequestError, APIUserAbortError }) => {
  const client = () => new OpenAI({ baseURL: `${at.url}/v1`, apiKey: 'none', maxRetries: 0 })

  test('models', async () => {
    const ids: string[] = []
    for await (const { id } of client().models.list()) ids.push(id)
    expect(ids).toEqual(['tiny'])
    expect(await client().models.retrieve('tiny')).toMatchObject({
      id: 'tiny',
      object: 'model',
      owned_by: 'ift',
    })
  })

  test('a chat, whole and as a stream', async () => {
    const whole = await client().chat.completions.create(greedy)
    const [choice] = whole.choices
    expect(choice!.message.content).not.toBe('')
    expect(whole.usage!.total_tokens).toBe(whole.usage!.prompt_tokens + whole.usage!.completion_tokens)
    const stream = client().chat.completions.stream({ ...greedy, stream_options: { include_usage: true } })
    let text = ''
    stream.on('content', (delta) => (text += delta))
    const final = await stream.finalChatCompletion()
    expect(text).toBe(choice!.message.content)
    expect(final.choices[0]!.message.content).toBe(text)
    expect(final.choices[0]!.finish_reason).toBe(choice!.finish_reason)
    expect(final.usage).toMatchObject({
      prompt_tokens: whole.usage!.prompt_tokens,
      completion_tokens: whole.usage!.completion_tokens,
    })
  })

  test('several answers', async () => {
    const asked = { ...greedy, temperature: 1, seed: 3, n: 3 }
    const whole = await client().chat.completions.create(asked)
    const texts = whole.choices.map(({ message }) => message.content)
    expect(new Set(texts).size).toBeGreaterThan(1)
    const streamed = ['', '', '']
    for await (const { choices } of await client().chat.completions.create({ ...asked, stream: true }))
      for (const { index, delta } of choices) streamed[index]! += delta.content ?? ''
    expect(streamed).toEqual(texts)
  })

  test('completions', async () => {
    const asked = { model: 'tiny', prompt: 'Tom has 3', temperature: 0, max_tokens: 6 }
    const whole = await client().completions.create({ ...asked, echo: true, logprobs: 1 })
    const [choice] = whole.choices
    expect(choice!.text.startsWith('Tom has 3')).toBe(true)
    expect(choice!.logprobs!.token_logprobs![0]).toBeNull()
    expect(choice!.logprobs!.tokens!.length).toBe(choice!.logprobs!.token_logprobs!.length)
    let text = ''
    for await (const { choices } of await client().completions.create({ ...asked, stream: true }))
      text += choices[0]?.text ?? ''
    expect('Tom has 3' + text).toBe(choice!.text)
  })

  test('log-probabilities', async () => {
    const asked = { ...greedy, logprobs: true, top_logprobs: 3 }
    const whole = await client().chat.completions.create(asked)
    const content = whole.choices[0]!.logprobs!.content!
    expect(content.length).toBeGreaterThan(0)
    for (const { logprob, top_logprobs } of content) {
      expect(top_logprobs).toHaveLength(3)
      expect(top_logprobs[0]!.logprob).toBe(logprob)
    }
    const final = await client().chat.completions.stream(asked).finalChatCompletion()
    expect(final.choices[0]!.logprobs!.content).toEqual(content)
  })

  test('calls of functions, whole and as a stream', async () => {
    await at.say(weatherCall)
    const asked = { ...greedy, max_tokens: 64, tools: [weather] }
    const whole = await client().chat.completions.create(asked)
    const { message, finish_reason } = whole.choices[0]!
    expect(finish_reason).toBe('tool_calls')
    expect(message.content).toBeNull()
    expect(message.tool_calls).toEqual([
      {
        id: expect.stringMatching(/^call_[A-Za-z]{24}$/) as string,
        type: 'function',
        function: { name: 'get_weather', arguments: '{"city":"Bern"}' },
      },
    ])
    const final = await client().chat.completions.stream(asked).finalChatCompletion()
    expect(final.choices[0]!.message.tool_calls).toMatchObject([
      { type: 'function', function: { name: 'get_weather', arguments: '{"city":"Bern"}' } },
    ])
    // What the function gave goes back.
    await at.say('')
    const next = await client().chat.completions.create({
      ...greedy,
      tools: [weather],
      messages: [
        ...messages,
        message,
        { role: 'tool', tool_call_id: message.tool_calls![0]!.id, content: '21' },
      ],
    })
    expect(next.choices).toHaveLength(1)
  })

  test('a call that is asked for', async () => {
    const schema = {
      type: 'object',
      properties: { n: { enum: [1, 2] } },
      required: ['n'],
      additionalProperties: false,
    }
    const pick = { type: 'function', function: { name: 'pick', parameters: schema } } as const
    const asked = { ...greedy, max_tokens: 200, tools: [weather, pick] }
    const chosen = { type: 'function', function: { name: 'pick' } } as const
    const whole = await client().chat.completions.create({ ...asked, tool_choice: chosen })
    const [call] = whole.choices[0]!.message.tool_calls!
    expect(call).toMatchObject({ type: 'function', function: { name: 'pick' } })
    const { arguments: args } = (call as { function: { arguments: string } }).function
    expect([1, 2]).toContain((JSON.parse(args) as { n: number }).n)
    const any = await client().chat.completions.create({
      ...asked,
      tools: [pick],
      tool_choice: 'required',
      parallel_tool_calls: false,
    })
    expect(any.choices[0]!.message.tool_calls).toMatchObject([{ function: { name: 'pick' } }])
    await expect(
      client().chat.completions.create({ ...asked, tool_choice: { ...chosen, function: { name: 'other' } } }),
    ).rejects.toMatchObject({ status: 400, param: 'tool_choice' })
    await expect(
      client().chat.completions.create({ ...greedy, tool_choice: 'required' }),
    ).rejects.toMatchObject({
      status: 400,
      code: 'invalid_value',
    })
  })

  test('a function that runs itself', async () => {
    await at.say(weatherCall)
    const cities: string[] = []
    const runner = client().chat.completions.runTools(
      {
        ...greedy,
        max_tokens: 64,
        tools: [
          {
            type: 'function',
            function: {
              ...weather.function,
              parameters: { ...weather.function.parameters, required: ['city'] },
              parse: (text: string) => JSON.parse(text) as { city: string },
              function: async ({ city }: { city: string }) => {
                cities.push(city)
                await at.say('It is 21 degrees.')
                return '21'
              },
            },
          },
        ],
      },
      { maxChatCompletions: 2 },
    )
    await runner.done()
    expect(cities).toEqual(['Bern'])
  })

  test('an answer that a schema describes', async () => {
    const schema = {
      type: 'object',
      properties: { apples: { type: 'integer', minimum: 0, maximum: 99 } },
      required: ['apples'],
      additionalProperties: false,
    }
    const whole = await client().chat.completions.create({
      ...greedy,
      max_completion_tokens: 300,
      response_format: { type: 'json_schema', json_schema: { name: 'count', schema, strict: true } },
    })
    expect(JSON.parse(whole.choices[0]!.message.content!)).toEqual({ apples: expect.any(Number) as number })
  })

  test('leaving a stream, and aborting a request, end the answer', async () => {
    const long = { ...greedy, max_tokens: 400, ignore_eos: true }
    const stream = await client().chat.completions.create({ ...long, stream: true })
    for await (const _chunk of stream) break
    await at.running(0)
    const controller = new AbortController()
    const whole = client().chat.completions.create(long, { signal: controller.signal })
    await at.running(1)
    controller.abort()
    await expect(whole).rejects.toBeInstanceOf(APIUserAbortError)
    await at.running(0)
  })

  test('errors', async () => {
    const error = await client()
      .chat.completions.create({ ...greedy, model: 'other' })
      .catch((cause: unknown) => cause)
    expect(error).toBeInstanceOf(NotFoundError)
    expect(error).toMatchObject({ status: 404, code: 'model_not_found', param: 'model' })
    expect((error as InstanceType<typeof NotFoundError>).requestID).toBeTruthy()
    const wrong = await client()
      .chat.completions.create({ ...greedy, temperature: -1 })
      .catch((cause: unknown) => cause)
    expect(wrong).toBeInstanceOf(BadRequestError)
    expect(wrong).toMatchObject({ status: 400, code: 'invalid_value', param: 'temperature' })
    const long = await client()
      .chat.completions.create({ ...greedy, messages: [{ role: 'user', content: 'apples '.repeat(2000) }] })
      .catch((cause: unknown) => cause)
    expect(long).toMatchObject({ status: 400, code: 'context_length_exceeded' })
  })
})

test('a key', async () => {
  const closed = await clientServer({ apiKey: 'secret' })
  try {
    const client = (apiKey: string) => new six.OpenAI({ baseURL: `${closed.url}/v1`, apiKey, maxRetries: 0 })
    await expect(client('wrong').models.list()).rejects.toBeInstanceOf(six.AuthenticationError)
    expect((await client('secret').models.list()).data).toHaveLength(1)
  } finally {
    await closed.close()
  }
})
