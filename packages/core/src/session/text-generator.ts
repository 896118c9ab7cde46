import { IftError } from '@ift/tensor'
import { Decoder } from '../generate/decoder.js'
import { Generator, type StreamOptions } from '../generate/generator.js'
import type { LogitsTap } from '../generate/settings.js'
import type { GenerateOptions, Generation } from '../contract/generate.js'
import { encodePrompt } from '../data/encode.js'
import type { InstructionExample, MessagesExample } from '../contract/data.js'
import type { VirtualLength } from '../contract/peft.js'
import { scoreTokens } from '../generate/score-tokens.js'
import { AnswerText } from './answer-text.js'
import type { OpenModel } from './open-model.js'
import { positionsLeft, saidVirtual, virtualLength } from '../data/virtual-tokens.js'

/** A prompt: plain text, an instruction with its system text and history, or a conversation with its tools. */
export type Prompt = string | Omit<InstructionExample, 'output'> | MessagesExample

/** A model that answers, through the template it was trained with. */
export class TextGenerator {
  readonly #open: OpenModel
  readonly #decoder: Decoder
  readonly #generator: Generator
  /** Virtual tokens that every sequence leaves room for: the longest of all adapters. */
  readonly virtual: VirtualLength

  constructor(open: OpenModel, tap: LogitsTap | null) {
    this.#open = open
    const { backend, model, peft, shape, dtype, adapters } = open
    const handles = [peft, ...(adapters?.names ?? []).map((name) => adapters!.handle(name))]
    // What has room behind the most virtual tokens has room behind all.
    const virtual = handles.map(virtualLength).reduce((a, b) => (b.places > a.places ? b : a))
    this.virtual = virtual
    this.#decoder = new Decoder(backend, model, peft, shape, dtype, adapters)
    this.#generator = new Generator({
      decoder: this.#decoder,
      tokenizer: open.tokenizer,
      // Special tokens do not appear in the text, so end tokens are recognised by their ids.
      ends: new Set([
        ...open.ends,
        ...open.template.stop.flatMap((text) => open.tokenizer.specials.get(text) ?? []),
      ]),
      stop: open.template.stop,
      maxPositions: positionsLeft(virtual, shape),
      virtualTokens: virtual.tokens,
      tap,
    })
  }

  /** Input ids: the training prompt of the template, or plain text behind bos or inside the frame of the tokenizer. */
  async encode(prompt: Prompt): Promise<Int32Array> {
    const { tokenizer, template } = this.#open
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

  /** Continues a prompt; `stream.onText` receives the text as it becomes certain. */
  async generate(prompt: Prompt, options: GenerateOptions, stream: StreamOptions = {}): Promise<Generation> {
    const answer = new AnswerText(prompt)
    const onText = (text: string, index: number) => {
      const shown = answer.piece(text)
      if (shown) stream.onText?.(shown, index)
    }
    const ids = await this.encode(prompt)
    const generation = await this.#generator.generate(ids, options, { ...stream, onText })
    return AnswerText.of(prompt, generation)
  }

  /**
   * Continues every prompt, `batch` at a time, in order; `onDone` is called as each one ends. A prompt that cannot be continued
   * (too long, empty, refused by the template) is an error, or is told to `onRefused` before the first one begins.
   */
  async generateAll(
    prompts: readonly Prompt[],
    options: GenerateOptions,
    batch = 16,
    onDone?: (generation: Generation, index: number) => void | Promise<void>,
    signal?: AbortSignal,
    onRefused?: (error: IftError, index: number) => void,
  ): Promise<Generation[]> {
    const encode = async (prompt: Prompt, index: number) => {
      try {
        const ids = await this.encode(prompt)
        this.#generator.check(ids, options, index)
        return ids
      } catch (error) {
        if (!onRefused || !(error instanceof IftError)) throw error
        onRefused(error, index)
        return null
      }
    }
    const ids = await Promise.all(prompts.map(encode))
    const answered = (generation: Generation, index: number) => AnswerText.of(prompts[index], generation)
    const all = await this.#generator.generateAll(
      ids,
      options,
      batch,
      signal ? { signal } : {},
      onDone && ((generation, index) => onDone(answered(generation, index), index)),
    )
    return all.map(answered)
  }

  /** log p(id | before) of every token; the first is null. A sequence over the model's limit is refused. */
  async score(ids: ArrayLike<number>): Promise<(number | null)[]> {
    const { backend, model, shape, adapters } = this.#open
    const active = adapters?.active ?? null
    const peft = active === null ? this.#open.peft : adapters!.handle(active)
    const virtual = virtualLength(peft)
    const left = positionsLeft(virtual, shape)
    if (left !== null && ids.length > left)
      throw new IftError(
        'IFT_SEQUENCE_TOO_LONG',
        `The text has ${ids.length} tokens; the model's limit is ${left}${saidVirtual(virtual.tokens, ' behind ')}.`,
        'Score it in pieces.',
      )
    return scoreTokens(backend, model, peft, ids)
  }

  release(): void {
    this.#decoder.release()
  }
}
