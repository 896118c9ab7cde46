import {
  IftError,
  promptMessages,
  type Likelihood,
  type TaskGeneration,
  type TaskLoss,
  type TaskPrompt,
} from '@ift/core'
import { z } from 'zod'
import { Limit, Pause, postJson, RefusedPrompt } from '../judge/index.js'
import type { EvalModel, ModelAnswer, ModelFacts, ScoredChoices } from './model.js'

export interface EndpointOptions {
  /** Address of an API as OpenAI's, up to /v1. */
  readonly url: string
  /** The first that the server lists when absent. */
  readonly model?: string | undefined
  readonly key?: string | null | undefined
  readonly concurrency?: number
  readonly timeoutMs?: number
  readonly attempts?: number
  readonly retryDelayMs?: number
}

const mostTokens = 1 << 20

/** For hints. */
const endpointNames = { url: '--endpoint', model: '--model', key: 'IFT_EVAL_API_KEY' }

/** Bytes of a reply: that of `echo` and `logprobs` has some hundred for each token of a prompt. */
const mostReplyBytes = 256 << 20
const ids = z.array(z.number().int().nonnegative()).max(mostTokens)
const usage = z
  .object({ prompt_tokens: z.number().nullish(), completion_tokens: z.number().nullish() })
  .nullish()
  .catch(null)
const models = z.object({ data: z.array(z.object({ id: z.string() })).min(1) })
const tokenized = z.object({ tokens: ids })
const finish = z.string().nullish()
const completion = z.object({
  choices: z
    .array(z.object({ text: z.string(), finish_reason: finish, stop_reason: z.unknown().optional() }))
    .min(1),
  usage,
})
const chat = z.object({
  choices: z
    .array(
      z.object({
        message: z.object({ content: z.string().nullish() }),
        finish_reason: finish,
        stop_reason: z.unknown().optional(),
      }),
    )
    .min(1),
  usage,
})
const echoed = z.object({
  choices: z
    .array(
      z.object({
        logprobs: z.object({
          token_logprobs: z.array(z.number().nullable()).max(mostTokens),
          text_offset: z.array(z.number()).max(mostTokens).nullish(),
        }),
      }),
    )
    .min(1),
})

/** OpenAI's API takes no more than four texts that end an answer; the others are cut off here. */
const mostStops = 4

/** What stands before the first of the texts that end an answer, and whether one was there. */
function beforeStops(
  text: string,
  until: readonly string[],
): { readonly text: string; readonly cut: boolean } {
  const places = until.map((stop) => text.indexOf(stop)).filter((at) => at >= 0)
  return places.length === 0 ? { text, cut: false } : { text: text.slice(0, Math.min(...places)), cut: true }
}

/**
 * A model behind a server with OpenAI's API. Likelihoods are those of `/v1/completions` with `echo` and `logprobs`; ids are asked for at
 * `/tokenize`, as `ift serve` and vLLM have it, and where there is none the server's offsets in the text say where the prompt ends.
 */
export class EndpointModel implements EvalModel {
  readonly scoresInstructions = false
  readonly #limit: Limit
  readonly #pause = new Pause()
  /** Whether the server has `/tokenize`; asked once. */
  #tokenizes: boolean | null = null

  private constructor(
    readonly facts: ModelFacts,
    readonly options: EndpointOptions & { readonly url: string; readonly model: string },
  ) {
    this.#limit = new Limit(this.concurrency)
  }

  get concurrency(): number {
    return this.options.concurrency ?? 8
  }

  /** Asks the server for its models. IFT_EVAL_ENDPOINT where it does not answer, or has no such model. */
  static async open(options: EndpointOptions): Promise<EndpointModel> {
    const base = URL.canParse(options.url) ? new URL(options.url) : null
    if (!base || !/^https?:$/.test(base.protocol) || base.username !== '' || base.password !== '')
      throw new IftError(
        'IFT_USAGE',
        'The address of the endpoint expected http:// or https://, without name and password.',
        '--endpoint http://127.0.0.1:8410/v1',
      )
    const url = options.url.replace(/\/+$/, '')
    const listed = await listModels(url, options)
    const model = options.model ?? listed[0]!
    if (listed.length > 0 && !listed.includes(model))
      throw new IftError(
        'IFT_EVAL_ENDPOINT',
        `${url} has no model "${model}", it lists ${listed.slice(0, 20).join(', ')}.`,
        `Name one of them: --model ${listed[0]!}`,
      )
    const facts: ModelFacts = {
      ...{ name: model, endpoint: url, weights: null, adapter: null },
      ...{ template: null, templateHash: null, tokenizer: null, dtype: null, quantize: null },
    }
    return new EndpointModel(facts, { ...options, url, model })
  }

  #post(path: string, body: object, signal: AbortSignal | undefined): Promise<unknown> {
    const { url, key = null, timeoutMs = 600_000, attempts = 5, retryDelayMs = 1000 } = this.options
    const target = path.startsWith('/v1/') ? `${url}${path.slice(3)}` : `${url.replace(/\/v1$/, '')}${path}`
    return this.#limit.run(async () => {
      try {
        return await postJson(target, body, this.#pause, {
          ...{ key, timeoutMs, attempts, retryDelayMs, signal },
          ...{ mostBytes: mostReplyBytes, named: endpointNames },
        })
      } catch (error) {
        if (!(error instanceof RefusedPrompt)) throw error
        throw new IftError(
          'IFT_SEQUENCE_TOO_LONG',
          `${target} refuses the prompt: ${error.message}`,
          'Show fewer examples: --shots N',
          { cause: error },
        )
      }
    })
  }

  #read<T>(schema: z.ZodType<T>, value: unknown, path: string): T {
    const parsed = schema.safeParse(value)
    if (parsed.success) return parsed.data
    const { path: at, message } = parsed.error.issues[0]!
    throw new IftError(
      'IFT_EVAL_ENDPOINT',
      `${this.options.url}: the reply of ${path} is not as OpenAI's API has it: ${at.join('.')}: ${message}.`,
      path === '/v1/completions'
        ? 'Likelihoods need a server whose completions have echo and logprobs, such as npx ift serve or vLLM.'
        : 'Check the address: --endpoint http://127.0.0.1:8410/v1',
    )
  }

  /** Ids of a text; null where the server does not say. */
  async #ids(prompt: string, signal: AbortSignal | undefined): Promise<readonly number[] | null> {
    if (this.#tokenizes === false) return null
    try {
      const reply = await this.#post('/tokenize', { model: this.options.model, prompt }, signal)
      const { tokens } = this.#read(tokenized, reply, '/tokenize')
      this.#tokenizes = true
      return tokens
    } catch (error) {
      // A server without it says so with 404, or with a page of its own.
      if (this.#tokenizes === true || !(error instanceof IftError) || error.code !== 'IFT_EVAL_ENDPOINT')
        throw error
      this.#tokenizes = false
      return null
    }
  }

  async likelihoods(
    prompt: TaskPrompt,
    continuations: readonly string[],
    signal?: AbortSignal,
  ): Promise<ScoredChoices> {
    if (typeof prompt !== 'string')
      throw new IftError(
        'IFT_EVAL_UNSUPPORTED',
        'A server does not tell how its template goes on behind an instruction, which the likelihood of an answer needs.',
        'Ask texts: --as text. Or evaluate the model here: --weights MODEL',
      )
    const found = await Promise.all(
      continuations.map((continuation) => this.#continued(prompt, continuation, signal)),
    )
    return {
      likelihoods: found.map(({ logprob, tokens }) => ({ logprob, tokens })),
      promptTokens: found[0]?.promptTokens ?? 0,
      cut: 0,
    }
  }

  async #continued(text: string, continuation: string, signal: AbortSignal | undefined) {
    const blanks = text.length - text.trimEnd().length
    const context = text.slice(0, text.length - blanks)
    const [whole, own] = [await this.#ids(text + continuation, signal), await this.#ids(context, signal)]
    if (whole && own) return this.#scored(whole, own.length, signal)
    const reply = await this.#echo(text + continuation, signal)
    const { token_logprobs: logprobs, text_offset: offsets } = reply
    if (!offsets || offsets.length !== logprobs.length)
      throw new IftError(
        'IFT_EVAL_ENDPOINT',
        `${this.options.url}: it says neither the ids of a text (/tokenize) nor where its tokens begin (text_offset), and likelihoods need one of them.`,
        'Use npx ift serve, vLLM, or any server of which one of both is true.',
      )
    const from = offsets.findIndex((offset) => offset >= context.length)
    return this.#summed(logprobs, from < 0 ? logprobs.length : from, logprobs.length)
  }

  async #scored(whole: readonly number[], from: number, signal: AbortSignal | undefined) {
    const { token_logprobs: logprobs } = await this.#echo(whole, signal)
    return this.#summed(logprobs, Math.max(1, from), whole.length)
  }

  #summed(
    logprobs: readonly (number | null)[],
    from: number,
    end: number,
  ): Likelihood & { readonly promptTokens: number } {
    if (logprobs.length < end)
      throw new IftError(
        'IFT_EVAL_ENDPOINT',
        `${this.options.url}: expected the log-probabilities of ${end} tokens, found ${logprobs.length}.`,
        'Likelihoods need a server whose completions have echo and logprobs, such as npx ift serve or vLLM.',
      )
    const counted = logprobs.slice(from, end)
    return {
      logprob: counted.reduce<number>((sum, one) => sum + (one ?? 0), 0),
      tokens: counted.length,
      promptTokens: from,
    }
  }

  async #echo(prompt: string | readonly number[], signal: AbortSignal | undefined) {
    const { model } = this.options
    // A token more, which every server makes, stands behind what is counted.
    const body = { model, prompt, echo: true, logprobs: 1, max_tokens: 1, temperature: 0 }
    const reply = await this.#post('/v1/completions', body, signal)
    return this.#read(echoed, reply, '/v1/completions').choices[0]!.logprobs
  }

  async answer(
    prompt: TaskPrompt,
    { until, maxNewTokens }: TaskGeneration,
    signal?: AbortSignal,
  ): Promise<ModelAnswer> {
    const { model } = this.options
    const stop = until.slice(0, mostStops)
    const settings = { model, temperature: 0, max_tokens: maxNewTokens, ...(stop.length > 0 && { stop }) }
    if (typeof prompt === 'string') {
      const reply = await this.#post('/v1/completions', { ...settings, prompt }, signal)
      const { choices, usage: used } = this.#read(completion, reply, '/v1/completions')
      return answerOf(choices[0]!.text, choices[0]!, used, until)
    }
    const body = { ...settings, messages: messagesOf(prompt) }
    const reply = await this.#post('/v1/chat/completions', body, signal)
    const { choices, usage: used } = this.#read(chat, reply, '/v1/chat/completions')
    return answerOf(choices[0]!.message.content ?? '', choices[0]!, used, until)
  }

  loss(): Promise<TaskLoss> {
    return Promise.reject(
      new IftError(
        'IFT_EVAL_UNSUPPORTED',
        'The loss of an example is that of training, which a server does not tell.',
        'Evaluate the model here: --weights MODEL',
      ),
    )
  }
}

function answerOf(
  written: string,
  {
    finish_reason: reason,
    stop_reason: stopped,
  }: { finish_reason?: string | null | undefined; stop_reason?: unknown },
  used: z.output<typeof usage>,
  until: readonly string[],
): ModelAnswer {
  const { text, cut } = beforeStops(written, until)
  return {
    text,
    ended: cut || typeof stopped === 'string' ? 'stop' : reason === 'length' ? 'length' : 'end',
    tokens: used?.completion_tokens ?? 0,
    promptTokens: used?.prompt_tokens ?? 0,
    cut: 0,
  }
}

/** An instruction as messages: the server's template writes them. */
const messagesOf = (prompt: Exclude<TaskPrompt, string>) =>
  promptMessages('messages' in prompt ? prompt : { ...prompt, output: '' }).map(({ role, content }) => ({
    role,
    content,
  }))

async function listModels(url: string, { key, timeoutMs = 30_000 }: EndpointOptions): Promise<string[]> {
  let reason: string
  try {
    const reply = await fetch(`${url}/models`, {
      headers: { accept: 'application/json', ...(key != null && { authorization: `Bearer ${key}` }) },
      redirect: 'manual',
      signal: AbortSignal.timeout(Math.min(timeoutMs, 30_000)),
    })
    const text = await reply.text()
    if (reply.ok) {
      const parsed = models.safeParse(JSON.parse(text))
      if (parsed.success) return parsed.data.data.map(({ id }) => id)
      reason = 'its reply lists no models'
    } else reason = `HTTP ${reply.status}`
  } catch (cause) {
    const error = cause as Error & { cause?: Error }
    reason = error.cause?.message || error.message
  }
  throw new IftError(
    'IFT_EVAL_ENDPOINT',
    `${url}/models could not be read: ${reason}.`,
    'Check that the server runs, and the address: --endpoint http://127.0.0.1:8410/v1; a key: IFT_EVAL_API_KEY.',
  )
}
