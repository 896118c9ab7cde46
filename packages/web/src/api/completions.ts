import {
  ApiError,
  getJson,
  posted,
  postJson,
  problemOf,
  reach,
  readProblem,
  type RequestOptions,
} from './client.js'
import { EventReader } from './sse.js'

/** A model that answers: the base, or an adapter on it. */
export interface ModelCard {
  readonly id: string
  /** The base of an adapter. */
  readonly parent?: string
  /** Tokens of prompt and answer at most; null where there is no bound. */
  readonly max_model_len: number | null
  readonly template: string
}

export interface ToolCall {
  readonly id: string
  readonly name: string
  /** As the model wrote it. */
  readonly arguments: string
}

export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool'
  readonly content: string
  readonly calls?: readonly ToolCall[]
  /** The call that a message of the role tool answers. */
  readonly callId?: string
}

/** A token and its log-probability. `bytes` is UTF-8, null where it is not known. */
export interface ScoredToken {
  readonly text: string
  readonly bytes: readonly number[] | null
  readonly logprob: number
}

export interface AnswerToken extends ScoredToken {
  /** The likeliest in its place, best first. */
  readonly top: readonly ScoredToken[]
}

/** How answers are chosen; null is what the model's own settings say. */
export interface Sampling {
  readonly temperature: number
  readonly topP: number
  /** 0: all. */
  readonly topK: number
  readonly minP: number
  readonly repetitionPenalty: number
  readonly presencePenalty: number
  readonly frequencyPenalty: number
  readonly maxTokens: number
  readonly stops: readonly string[]
}

export interface ChatAsked extends Sampling {
  readonly model: string
  readonly messages: readonly ChatMessage[]
  readonly seed: number
  /** The last message is an answer to be gone on with. */
  readonly goesOn: boolean
  /** With the probability of each token, and of the ten likeliest in its place. */
  readonly probabilities: boolean
  /** JSON of a list of functions; empty for none. */
  readonly tools: readonly unknown[]
}

export interface ChatUsage {
  readonly prompt: number
  readonly completion: number
}

export type ChatEvent =
  | { readonly kind: 'content'; readonly text: string }
  | { readonly kind: 'reasoning'; readonly text: string }
  | { readonly kind: 'call'; readonly index: number; readonly id: string; readonly name: string }
  | { readonly kind: 'arguments'; readonly index: number; readonly text: string }
  | { readonly kind: 'tokens'; readonly tokens: readonly AnswerToken[] }
  | { readonly kind: 'finish'; readonly reason: 'stop' | 'length' | 'tool_calls' }
  | { readonly kind: 'usage'; readonly usage: ChatUsage }

interface WireToken {
  readonly token: string
  readonly logprob: number
  readonly bytes?: readonly number[] | null
}

interface WireChunk {
  readonly choices: readonly {
    readonly delta?: {
      readonly content?: string | null
      readonly reasoning_content?: string | null
      readonly tool_calls?: readonly {
        readonly index: number
        readonly id?: string
        readonly function?: { readonly name?: string; readonly arguments?: string }
      }[]
    }
    readonly logprobs?: {
      readonly content: readonly (WireToken & { readonly top_logprobs: readonly WireToken[] })[] | null
    } | null
    readonly finish_reason?: 'stop' | 'length' | 'tool_calls' | null
  }[]
  readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number } | null
}

export const models = async (options: RequestOptions = {}): Promise<readonly ModelCard[]> =>
  (await getJson<{ data: readonly ModelCard[] }>('/v1/models', options)).data

const wireMessage = ({ role, content, calls, callId }: ChatMessage) => ({
  role,
  content,
  ...(calls &&
    calls.length > 0 && {
      tool_calls: calls.map(({ id, name, arguments: text }) => ({
        ...{ id, type: 'function' },
        function: { name, arguments: text },
      })),
    }),
  ...(callId !== undefined && { tool_call_id: callId }),
})

/** The body of `POST /v1/chat/completions`. */
export const chatBody = (asked: ChatAsked) => ({
  model: asked.model,
  messages: asked.messages.map(wireMessage),
  stream: true,
  stream_options: { include_usage: true },
  temperature: asked.temperature,
  top_p: asked.topP,
  top_k: asked.topK,
  min_p: asked.minP,
  repetition_penalty: asked.repetitionPenalty,
  presence_penalty: asked.presencePenalty,
  frequency_penalty: asked.frequencyPenalty,
  max_tokens: asked.maxTokens,
  seed: asked.seed,
  ...(asked.stops.length > 0 && { stop: asked.stops }),
  ...(asked.tools.length > 0 && { tools: asked.tools }),
  ...(asked.goesOn && { continue_final_message: true, add_generation_prompt: false }),
  ...(asked.probabilities && { logprobs: true, top_logprobs: 10 }),
})

const scored = ({ token, bytes, logprob }: WireToken): ScoredToken => ({
  text: token,
  bytes: bytes ?? null,
  logprob,
})

/** What a chunk of a stream tells. Unknown fields are passed over. */
export function eventsOf({ choices, usage }: WireChunk): ChatEvent[] {
  const events: ChatEvent[] = []
  const [choice] = choices
  if (choice) {
    const { delta = {}, logprobs, finish_reason: reason } = choice
    if (logprobs?.content)
      events.push({
        kind: 'tokens',
        tokens: logprobs.content.map((token) => ({ ...scored(token), top: token.top_logprobs.map(scored) })),
      })
    if (delta.reasoning_content) events.push({ kind: 'reasoning', text: delta.reasoning_content })
    if (delta.content) events.push({ kind: 'content', text: delta.content })
    for (const { index, id, function: called } of delta.tool_calls ?? []) {
      if (id !== undefined) events.push({ kind: 'call', index, id, name: called?.name ?? '' })
      if (called?.arguments) events.push({ kind: 'arguments', index, text: called.arguments })
    }
    if (reason) events.push({ kind: 'finish', reason })
  }
  if (usage)
    events.push({
      kind: 'usage',
      usage: { prompt: usage.prompt_tokens, completion: usage.completion_tokens },
    })
  return events
}

/**
 * An answer as it is written. Throws `ApiError` for a refusal, an error under way, and for a stream that breaks off; AbortError when the
 * signal ends it.
 */
export async function* chat(asked: ChatAsked, signal: AbortSignal): AsyncGenerator<ChatEvent, void> {
  const response = await reach('/v1/chat/completions', { ...posted(chatBody(asked)), signal })
  if (!response.ok || response.body === null) throw await problemOf(response)
  const reader = response.body.getReader()
  const events = new EventReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) throw new ApiError(0, 'broken_off', 'The stream ended before the answer did.')
      for (const { data } of events.feed(value)) {
        if (data === '[DONE]') return
        const problem = readProblem(data, response.status)
        if (problem) throw problem
        yield* eventsOf(JSON.parse(data) as WireChunk)
      }
    }
  } catch (error) {
    if (error instanceof TypeError) throw new ApiError(0, 'broken_off', error.message)
    throw error
  } finally {
    reader.cancel().catch(() => undefined)
  }
}

/** Ids of a conversation as it is answered. */
export const tokensOfMessages = async (
  model: string,
  messages: readonly ChatMessage[],
  options: RequestOptions = {},
): Promise<readonly number[]> =>
  (await postJson<{ tokens: number[] }>('/tokenize', { model, messages: messages.map(wireMessage) }, options))
    .tokens

/** Ids of a text without what the tokenizer puts around texts. */
export const tokensOfText = async (
  model: string,
  prompt: string,
  options: RequestOptions = {},
): Promise<readonly number[]> =>
  (await postJson<{ tokens: number[] }>('/tokenize', { model, prompt, add_special_tokens: false }, options))
    .tokens

/** The text of ids, special tokens shown. */
export const textOfTokens = async (
  model: string,
  tokens: readonly number[],
  options: RequestOptions = {},
): Promise<string> => (await postJson<{ prompt: string }>('/detokenize', { model, tokens }, options)).prompt

interface WireScores {
  readonly choices: readonly {
    readonly logprobs: {
      readonly tokens: readonly string[]
      readonly token_logprobs: readonly (number | null)[]
      readonly top_logprobs: readonly (Readonly<Record<string, number>> | null)[]
    }
  }[]
}

/**
 * The log-probability of each token of an answer behind a conversation, by any model. Tokens that are parts of characters have no bytes
 * here: the text of completions has U+FFFD for them.
 */
export async function score(
  model: string,
  messages: readonly ChatMessage[],
  answer: string,
  { top = 10, ...options }: RequestOptions & { readonly top?: number } = {},
): Promise<readonly AnswerToken[]> {
  const [head, tail] = await Promise.all([
    tokensOfMessages(model, messages, options),
    tokensOfText(model, answer, options),
  ])
  if (tail.length === 0) return []
  const asked = { model, prompt: [...head, ...tail], echo: true, logprobs: top, max_tokens: 0 }
  const { choices } = await postJson<WireScores>('/v1/completions', asked, options)
  const { tokens, token_logprobs: own, top_logprobs: tops } = choices[0]!.logprobs
  return tokens.slice(head.length).map((text, i) => ({
    ...{ text, bytes: bytesOf(text), logprob: own[head.length + i] ?? 0 },
    top: Object.entries(tops[head.length + i] ?? {})
      .map(([one, logprob]) => ({ text: one, bytes: bytesOf(one), logprob }))
      .sort((a, b) => b.logprob - a.logprob),
  }))
}

const bytesOf = (text: string): readonly number[] | null =>
  text.includes('\ufffd') ? null : [...new TextEncoder().encode(text)]
