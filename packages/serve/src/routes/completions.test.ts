import { afterAll, beforeAll, expect, test } from 'vitest'
import { testServer, type TestServer } from '../server.fixture.js'

let tiny: TestServer
beforeAll(async () => {
  tiny = await testServer()
})
afterAll(() => tiny.close())

interface Choice {
  readonly index: number
  readonly text: string
  readonly finish_reason: string
  readonly stop_reason: string | number | null
  readonly logprobs: {
    readonly tokens: string[]
    readonly token_logprobs: (number | null)[]
    readonly top_logprobs: (Record<string, number> | null)[]
    readonly text_offset: number[]
  }
}

async function complete(body: object): Promise<Choice[]> {
  const reply = await tiny.post('/v1/completions', body)
  expect(reply.status).toBe(200)
  return ((await reply.json()) as { choices: Choice[] }).choices
}

test('what lm-evaluation-harness asks for is what a score says, to the last digit', async () => {
  const generator = await tiny.ift.createGenerator()
  const texts = ['Tom has 3 apples and buys 4 more.', 'Leo has 31 apples.', 'The answer is 7.']
  const prompts = await Promise.all(texts.map((text) => generator.encode(text)))
  const asked = {
    prompt: prompts.map((ids) => [...ids]),
    temperature: 0,
    max_tokens: 1,
    logprobs: 1,
    seed: 1234,
  }
  const choices = await complete({ ...asked, echo: true })
  for (const [i, { index, logprobs }] of choices.entries()) {
    expect(index).toBe(i)
    const scores = await generator.score(prompts[i]!)
    // One generated entry follows, also when it is the end token.
    expect(logprobs.token_logprobs.slice(0, -1)).toEqual(scores)
    expect(logprobs.top_logprobs).toHaveLength(scores.length + 1)
    expect(logprobs.top_logprobs[0]).toBeNull()
    let greedy = 0
    for (const [k, top] of logprobs.top_logprobs.slice(1, -1).entries()) {
      const best = Math.max(...Object.values(top!))
      const own = logprobs.token_logprobs[k + 1]!
      expect(own).toBeLessThanOrEqual(best)
      if (own === best) greedy++
    }
    expect(greedy).toBeGreaterThan(0)
    expect(greedy).toBeLessThan(scores.length)
  }
  await generator.release()
})

test('a continuation that ends at once still has its entry', async () => {
  const reply = await tiny.post('/tokenize', { prompt: 'a', add_special_tokens: true })
  const { tokens } = (await reply.json()) as { tokens: number[] }
  const [choice] = await complete({
    ...{ prompt: tokens, temperature: 0, max_tokens: 1, logprobs: 1, echo: true },
    logit_bias: { 2: 100 },
  })
  expect(choice).toMatchObject({ finish_reason: 'stop', stop_reason: null })
  expect(choice!.logprobs.token_logprobs).toHaveLength(tokens.length + 1)
  expect(choice!.logprobs.tokens.at(-1)).toBe('</s>')
})

test('choices come in the order of prompts, each answer of a stream of its own', async () => {
  const asked = { prompt: ['Tom has', 'Leo has'], n: 3, temperature: 2, seed: 7, max_tokens: 6 }
  const [first, again] = [await complete(asked), await complete(asked)]
  expect(first.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5])
  expect(new Set(first.map(({ text }) => text)).size).toBeGreaterThan(3)
  expect(again).toEqual(first)
  const [alone] = await complete({ ...asked, prompt: 'Tom has', n: 1 })
  expect(alone!.text).toBe(first[0]!.text)
})

test('a text ends before a stop text, and says which it was', async () => {
  const free = await complete({ prompt: 'Tom has 3 apples', temperature: 0, max_tokens: 12 })
  const stop = free[0]!.text.slice(4, 7)
  const [stopped] = await complete({
    prompt: 'Tom has 3 apples',
    temperature: 0,
    max_tokens: 12,
    stop: [stop, 'zzz'],
  })
  expect(stopped).toMatchObject({ finish_reason: 'stop', stop_reason: stop })
  expect(stopped!.text).toBe(free[0]!.text.slice(0, free[0]!.text.indexOf(stop)))
})

test('a stream is the whole reply, log-probabilities and the echo included', async () => {
  const asked = {
    prompt: ['Tom has 3 apples', 'Leo'],
    temperature: 0,
    max_tokens: 5,
    logprobs: 2,
    echo: true,
  }
  const whole = await complete(asked)
  const reply = await tiny.post('/v1/completions', { ...asked, stream: true })
  const events = (await reply.text()).split('\n\n').filter((event) => event !== '')
  expect(events.pop()).toBe('data: [DONE]')
  const found = whole.map(() => ({
    text: '',
    tokens: [] as string[],
    logprobs: [] as unknown[],
    offsets: [] as number[],
  }))
  for (const event of events) {
    const [{ index, text, logprobs }] = (JSON.parse(event.slice(6)) as { choices: [Choice] }).choices
    const one = found[index]!
    one.text += text
    one.tokens.push(...((logprobs as Choice['logprobs'] | null)?.tokens ?? []))
    one.logprobs.push(...((logprobs as Choice['logprobs'] | null)?.token_logprobs ?? []))
    one.offsets.push(...((logprobs as Choice['logprobs'] | null)?.text_offset ?? []))
  }
  expect(found).toEqual(
    whole.map(({ text, logprobs }) => ({
      ...{ text, tokens: logprobs.tokens, logprobs: logprobs.token_logprobs, offsets: logprobs.text_offset },
    })),
  )
})

test('a prompt is scored alone: no tokens with echo', async () => {
  const [choice] = await complete({ prompt: 'Tom has 3', max_tokens: 0, echo: true, logprobs: 1 })
  expect(choice!.text).toBe('Tom has 3')
  expect(choice!.logprobs.tokens.join('')).toBe('<s>Tom has 3')
})

test.each([
  [{ prompt: 'a', suffix: 'b' }, 'suffix'],
  [{ prompt: [] }, 'prompt'],
  [{ prompt: 'a', max_tokens: 0 }, 'max_tokens'],
  [{ prompt: [[5], [99999]] }, 'prompt'],
  [{ prompt: 'a', logprobs: 21 }, 'logprobs'],
  [{ prompt: 'a', n: 1e9 }, 'n'],
  [{ prompt: 'a', logit_bias: { 99999: 1 } }, 'logit_bias'],
  [{ prompt: 'a', logit_bias: { a: 1 } }, 'logit_bias.a'],
  [{ prompt: 'a', stop: Array.from({ length: 17 }, () => 'x') }, 'stop'],
])('refused: %j', async (body, param) => {
  const reply = await tiny.post('/v1/completions', body)
  expect(reply.status).toBe(400)
  expect(await reply.json()).toMatchObject({ error: { type: 'invalid_request_error', param } })
})
