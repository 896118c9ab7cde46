import { IftError } from '@ift/tensor'
import type { AdapterChoice } from '../contract/adapters.js'
import { Decoder } from '../generate/decoder.js'
import {
  Engine,
  type AnswerOptions,
  type EngineLoad,
  type EngineOptions,
  type ScoreOptions,
} from '../generate/engine/engine.js'
import type { Answer } from '../generate/engine/answer.js'
import type { ScoredText } from '../generate/engine/score-job.js'
import type { LogitsTap } from '../generate/settings.js'
import type { ConstraintDefinition } from '../contract/constraint.js'
import type { GenerateOptions, Generation } from '../contract/generate.js'
import { encodePrompt } from '../data/encode.js'
import type { InstructionExample, MessagesExample } from '../contract/data.js'
import type { VirtualLength } from '../contract/peft.js'
import { AnswerText } from './answer-text.js'
import { cachePages } from './cache-pages.js'
import { Constraints } from './constraints.js'
import type { OpenModel } from './open-model.js'
import { positionsLeft, virtualLength } from '../data/virtual-tokens.js'

/**
 * A prompt: plain text, an instruction with its system text and history, a conversation with its tools, or the ids of a text that has been
 * encoded.
 */
export type Prompt = string | Omit<InstructionExample, 'output'> | MessagesExample | Int32Array

/** How an answer reaches its caller. */
export interface StreamOptions extends AnswerOptions {
  /** Text as it becomes certain. */
  readonly onText?: (text: string) => void
}

/** How many answers are made together, and how they reach their caller. */
export interface AllOptions {
  /** Prompts at a time; as many as the generator takes when omitted, and at most. The answers do not depend on it. */
  readonly batch?: number
  /** Called as each one ends, in any order; the next ones wait for it. */
  readonly onDone?: (generation: Generation, index: number) => void | Promise<void>
  /** Told of prompts that cannot be continued (too long, empty, refused by the template), which are an error without it. */
  readonly onRefused?: (error: IftError, index: number) => void
  readonly signal?: AbortSignal
}

export interface GeneratorOptions extends EngineOptions {
  /** Bytes that keys and values may take; half of the memory that is free when omitted. */
  readonly cacheBytes?: number
  /** Whether an answer has the same bits whatever else is answered, on devices that can; yes when omitted. */
  readonly deterministic?: boolean
}

/** A model that answers, through the template it was trained with; any number of callers at a time. */
export class TextGenerator {
  readonly #open: OpenModel
  readonly #decoder: Decoder
  readonly #engine: Engine
  readonly #constraints: Constraints
  readonly #addAdapter: (name: string, spec: string) => Promise<void>

  constructor(
    open: OpenModel,
    tap: LogitsTap | null,
    constraintOf: (kind: string) => Promise<ConstraintDefinition>,
    addAdapter: (name: string, spec: string) => Promise<void>,
    { cacheBytes, deterministic, ...options }: GeneratorOptions = {},
  ) {
    this.#open = open
    this.#addAdapter = addAdapter
    const { backend, model, peft, shape, dtype, adapters } = open
    const maxPages = cachePages(open, cacheBytes)
    this.#decoder = new Decoder(backend, model, peft, shape, dtype, adapters, {
      maxPages,
      ...(deterministic !== undefined && { deterministic }),
    })
    // Special tokens do not appear in the text, so end tokens are recognised by their ids.
    const ends = new Set([
      ...open.ends,
      ...open.template.stop.flatMap((text) => open.tokenizer.specials.get(text) ?? []),
    ])
    this.#constraints = new Constraints(open.tokenizer, ends, constraintOf)
    this.#engine = new Engine(
      {
        decoder: this.#decoder,
        tokenizer: open.tokenizer,
        ends,
        stop: open.template.stop,
        room: (adapter) => {
          const virtual = this.virtualOf(adapter)
          return { positions: positionsLeft(virtual, shape), virtualTokens: virtual.tokens }
        },
        tap,
      },
      options,
    )
  }

  /** Virtual tokens in front of the prompts of an adapter, of the one in use when omitted. */
  virtualOf(adapter?: AdapterChoice): VirtualLength {
    const { peft, adapters } = this.#open
    if (adapters === null) return virtualLength(peft)
    const name = adapter === undefined ? adapters.active : adapter
    return virtualLength(name === null ? null : adapters.handle(name))
  }

  /**
   * Loads an adapter, a folder or an id on the hub, beside those that are there; requests may name it then. Answers under way wait for it
   * and are the same as without; nothing else may run the model meanwhile. Throws IFT_ADAPTER_NAME where the name is taken or the model was opened without several adapters,
   * IFT_ADAPTERS_BASE where it belongs to another model, and whatever is wrong with its files; then nothing has changed.
   */
  loadAdapter(name: string, spec: string): Promise<void> {
    return this.#engine.between(() => this.#addAdapter(name, spec))
  }

  /**
   * Takes an adapter off and frees it, when the answers under way that use it have ended; from now on none may name it. Throws
   * IFT_ADAPTER_NAME for one that is not loaded, or that is being taken off.
   */
  async unloadAdapter(name: string): Promise<void> {
    const { adapters } = this.#open
    this.#decoder.checkAdapter(name)
    await this.#engine.without(name, () => {
      adapters!.remove(name)
      return Promise.resolve()
    })
  }

  /** What there is to do now, and the pages of the cache. */
  get load(): EngineLoad {
    return this.#engine.load
  }

  /** Input ids: the training prompt of the template, or plain text behind bos or inside the frame of the tokenizer. */
  async encode(prompt: Prompt): Promise<Int32Array> {
    const { tokenizer, template } = this.#open
    if (prompt instanceof Int32Array) return prompt
    if (typeof prompt === 'string') {
      const { ids } = await tokenizer.encode(prompt)
      const { frame } = tokenizer
      if (frame) return Int32Array.of(...frame.before, ...ids, ...frame.after)
      return tokenizer.addBos && tokenizer.bosId !== null ? Int32Array.of(tokenizer.bosId, ...ids) : ids
    }
    const example: InstructionExample | MessagesExample =
      'messages' in prompt ? prompt : { ...prompt, output: '' }
    return encodePrompt(example, template, tokenizer)
  }

  /** Ids of a text to be scored: all tokens of the frame come before the text. */
  async encodeText(text: string): Promise<Int32Array> {
    const { tokenizer } = this.#open
    const { frame } = tokenizer
    if (!frame) return this.encode(text)
    return Int32Array.of(...frame.before, ...frame.after, ...(await tokenizer.encode(text)).ids)
  }

  /**
   * Hands in a prompt; the answer is on its way then. What is wrong with the request is thrown. Unlike `generate` it leaves the text as it
   * is, white space at its beginning included.
   */
  async submit(prompt: Prompt, options: GenerateOptions, request: AnswerOptions = {}): Promise<Answer> {
    const ids = await this.encode(prompt)
    const constraint = await this.#constraints.begin(options.constraint)
    return this.#engine.submit(ids, options, { ...request, constraint })
  }

  /** Continues a prompt; `onText` receives the text as it becomes certain. */
  async generate(
    prompt: Prompt,
    options: GenerateOptions,
    { onText, ...request }: StreamOptions = {},
  ): Promise<Generation> {
    const shown = new AnswerText(prompt)
    request.signal?.throwIfAborted()
    const answer = await this.submit(prompt, options, request)
    if (onText)
      for await (const piece of answer) {
        const text = shown.piece(piece)
        if (text) onText(text)
      }
    return AnswerText.of(prompt, await answer.result)
  }

  /** The text of an answer as it becomes certain. To leave the loop ends the request. */
  async *stream(
    prompt: Prompt,
    options: GenerateOptions,
    request: AnswerOptions = {},
  ): AsyncGenerator<string> {
    const shown = new AnswerText(prompt)
    for await (const piece of await this.submit(prompt, options, request)) {
      const text = shown.piece(piece)
      if (text) yield text
    }
  }

  /**
   * Continues every prompt, in order, with the same options or a list with those of each. Prompt i samples with stream i of its seed.
   * The first error ends all of them.
   */
  async generateAll(
    prompts: readonly Prompt[],
    options: GenerateOptions | readonly GenerateOptions[],
    { batch = this.#engine.limits.maxSequences, onDone, onRefused, signal }: AllOptions = {},
  ): Promise<Generation[]> {
    const optionsOf = eachOf(prompts, options)
    const encode = async (prompt: Prompt, index: number) => {
      try {
        const ids = await this.encode(prompt)
        this.#engine.check(ids, optionsOf(index))
        return ids
      } catch (error) {
        if (!(error instanceof IftError)) throw error
        if (!onRefused)
          throw new IftError(error.code, `Prompt ${index}: ${error.message}`, error.hint, { cause: error })
        onRefused(error, index)
        return null
      }
    }
    const ids = await Promise.all(prompts.map(encode))
    const results = new Array<Generation>(prompts.length)
    const stop = new AbortController()
    const ended = AbortSignal.any([stop.signal, ...(signal ? [signal] : [])])
    let next = 0
    const work = async () => {
      while (next < prompts.length) {
        const index = next++
        const prompt = ids[index]
        if (!prompt) continue
        ended.throwIfAborted()
        const answer = await this.submit(prompt, optionsOf(index), { stream: index, signal: ended })
        const generation = AnswerText.of(prompts[index], await answer.result)
        results[index] = generation
        await onDone?.(generation, index)
      }
    }
    const workers = Array.from({ length: Math.min(batch, prompts.length) }, () =>
      work().catch((error: unknown) => {
        stop.abort(error)
        throw error
      }),
    )
    await Promise.allSettled(workers)
    await Promise.all(workers)
    return results
  }

  /** log p(id | before) of every token; the first is null. A sequence over the model's limit is refused. */
  async score(ids: ArrayLike<number>, options: ScoreOptions = {}): Promise<(number | null)[]> {
    return this.#engine.score(ids, options)
  }

  /**
   * log p(id | before) of every text's tokens from `from` on, which is 1 or more. What the texts begin with is read once, and not at all as far as
   * texts before them have left it in the cache; the numbers are those of `score`.
   */
  async scoreAll(texts: readonly ScoredText[], options: ScoreOptions = {}): Promise<number[][]> {
    return this.#engine.scoreAll(texts, options)
  }

  /** Ends what is under way, and frees the cache behind it. */
  release(): void | Promise<void> {
    const closed = this.#engine.close()
    if (this.#engine.idle) this.#decoder.release()
    else
      return closed.finally(() => {
        this.#decoder.release()
      })
  }
}

/** Options of each prompt; IFT_GENERATE_OPTION for a list of another length. */
function eachOf(
  prompts: readonly Prompt[],
  options: GenerateOptions | readonly GenerateOptions[],
): (index: number) => GenerateOptions {
  if (!isList(options)) return () => options
  if (options.length !== prompts.length)
    throw new IftError(
      'IFT_GENERATE_OPTION',
      `generate expected options for all prompts, or a list with those of each (${prompts.length}), found a list of ${options.length}.`,
    )
  return (index) => options[index]!
}

const isList = (
  options: GenerateOptions | readonly GenerateOptions[],
): options is readonly GenerateOptions[] => Array.isArray(options)
