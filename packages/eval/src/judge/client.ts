import { IftError } from '@ift/core'
import { z } from 'zod'
import { cacheKey, type ReplyCache } from './cache.js'
import { Limit } from './limit.js'
import { Pause, postJson, RefusedPrompt, type PostOptions } from './post.js'

export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant'
  readonly content: string
}

/** What a judge said, and what it cost. */
export interface ChatReply {
  /** '' where the endpoint refused the prompt. */
  readonly text: string
  /** Whether it was asked before, and cost nothing now. */
  readonly cached: boolean
  /** As the endpoint counts; 0 where it does not say. */
  readonly promptTokens: number
  readonly replyTokens: number
  /** When it was asked, ISO 8601. */
  readonly date: string
}

export interface JudgeOptions extends Partial<Omit<PostOptions, 'signal'>> {
  /** Address of an API as OpenAI's, which often ends in /v1. */
  readonly url: string
  readonly model: string
  /** Replies on disk; null asks everything again. */
  readonly cache?: ReplyCache | null
  /** Calls at a time. */
  readonly concurrency?: number
  readonly maxTokens?: number
  readonly temperature?: number
  readonly seed?: number
}

const tokens = z.number().int().nonnegative().nullish().catch(null)
const completion = z.object({
  choices: z.array(z.object({ message: z.object({ content: z.string().nullish() }) })).min(1),
  usage: z.object({ prompt_tokens: tokens, completion_tokens: tokens }).nullish().catch(null),
})

/** The path of chat completions under a base URL, or the URL itself where it is that path. IFT_USAGE for what is no address. */
export function chatUrl(base: string): string {
  const url = URL.canParse(base) ? new URL(base) : null
  if (!url || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '')
    throw new IftError(
      'IFT_USAGE',
      `The address of the judge is ${JSON.stringify(url?.password ? `${url.protocol}//…@${url.host}` : base.slice(0, 200))}, expected one that begins with http:// or https://, without name and password.`,
      '--judge-url http://127.0.0.1:8000/v1',
    )
  const path = url.pathname.replace(/\/+$/, '')
  url.pathname = path.endsWith('/chat/completions') ? path : `${path}/chat/completions`
  return url.href
}

/**
 * A model behind an API as OpenAI's that judges answers: greedy, some calls at a time, the same messages once. What it replies is text of
 * somebody else, and no longer than `maxTokens`.
 */
export class JudgeClient {
  readonly #options: JudgeOptions
  readonly #url: string
  readonly #limit: Limit
  readonly #pause = new Pause()
  readonly #asked = new Map<string, Promise<ChatReply>>()
  #calls = 0

  constructor(options: JudgeOptions) {
    this.#options = options
    this.#url = chatUrl(options.url)
    this.#limit = new Limit(options.concurrency ?? 4)
  }

  get model(): string {
    return this.#options.model
  }

  get url(): string {
    return this.#options.url
  }

  /** Prompts that were sent, each counted once however often it was tried. */
  get calls(): number {
    return this.#calls
  }

  /** Whether the reply to these messages is there already. */
  has(messages: readonly ChatMessage[], repetition = 0): boolean {
    return this.#options.cache?.get(this.#request(messages, repetition).key) !== undefined
  }

  /**
   * The reply. `repetition` asks the same again, with another seed, as a check of the judge itself. A reply is in the cache before it is given;
   * a refused prompt is none, and is asked again by the next run.
   */
  ask(messages: readonly ChatMessage[], signal?: AbortSignal, repetition = 0): Promise<ChatReply> {
    const { key, body } = this.#request(messages, repetition)
    const known = this.#options.cache?.get(key)
    if (known) return Promise.resolve({ ...known, cached: true })
    let reply = this.#asked.get(key)
    if (!reply) {
      reply = this.#limit.run(() => this.#send(key, body, signal)).finally(() => this.#asked.delete(key))
      this.#asked.set(key, reply)
    }
    return reply
  }

  #request(messages: readonly ChatMessage[], repetition: number) {
    const { model, maxTokens = 512, temperature = 0, seed = 0 } = this.#options
    const body = {
      model,
      messages: messages.map(({ role, content }) => ({ role, content })),
      temperature,
      seed: seed + repetition,
      max_tokens: maxTokens,
    }
    return { body, key: cacheKey('chat', body) }
  }

  async #send(key: string, body: unknown, signal: AbortSignal | undefined): Promise<ChatReply> {
    const { cache, model, timeoutMs = 120_000, attempts = 5, retryDelayMs = 1000 } = this.#options
    const date = new Date().toISOString()
    const options = { key: this.#options.key ?? null, timeoutMs, attempts, retryDelayMs, signal }
    signal?.throwIfAborted()
    this.#calls++
    let value: unknown
    try {
      value = await postJson(this.#url, body, this.#pause, options)
    } catch (error) {
      if (!(error instanceof RefusedPrompt)) throw error
      return { text: '', cached: false, promptTokens: 0, replyTokens: 0, date }
    }
    const parsed = completion.safeParse(value)
    if (!parsed.success)
      throw new IftError(
        'IFT_EVAL_ENDPOINT',
        `${this.#url} answered JSON that is no chat completion: expected choices[0].message.content.`,
        "Check the address, which is that of an API as OpenAI's.",
      )
    const { choices, usage } = parsed.data
    const reply = {
      date,
      text: choices[0]!.message.content ?? '',
      promptTokens: usage?.prompt_tokens ?? 0,
      replyTokens: usage?.completion_tokens ?? 0,
    }
    await cache?.add(key, model, reply)
    return { ...reply, cached: false }
  }
}
