import { IftError } from '@ift/tensor'
import type { Tokenizer } from '../contract/index.js'
import { BeamSearch } from './beam.js'
import { choose, type Choice } from './choose.js'
import type { Decoder, Feed } from './decoder.js'
import { Random } from './random.js'
import { decodeSettings, processScores, type DecodeSettings, type LogitsTap } from './settings.js'
import { StopScanner } from './stop.js'
import { saidVirtual } from '../data/virtual-tokens.js'
import type { AdapterChoice } from '../contract/adapters.js'
import type { FinishReason, GenerateOptions, Generation } from '../contract/generate.js'

export interface GeneratorParts {
  readonly decoder: Decoder
  readonly tokenizer: Tokenizer
  /** Ids that end a generation: the tokenizer's end token and what generation_config.json adds. */
  readonly ends: ReadonlySet<number>
  /** Stop texts of the prompt template. */
  readonly stop: readonly string[]
  /** Positions that prompt and answer may take; null when nothing limits them. */
  readonly maxPositions: number | null
  /** Virtual tokens in front of them, for errors to name. */
  readonly virtualTokens?: number
  /** Processes scores last. */
  readonly tap: LogitsTap | null
}

/** A prompt on its way through the decoder. */
interface Track extends Choice {
  readonly index: number
  readonly ids: number[]
  readonly sequence: number
  readonly text: Writer
  fed: number
}

/** How the sequence of a prompt begins, and where its generation goes. */
interface TrackEnds {
  readonly begin: (index: number) => number
  readonly finish: (index: number, generation: Generation) => Promise<void>
}

/** Turns ids into text and watches for stop texts. */
class Writer {
  readonly #stream
  readonly #scanner: StopScanner
  #text = ''

  constructor(
    tokenizer: Tokenizer,
    stops: readonly string[],
    readonly onText: ((text: string) => void) | undefined,
  ) {
    this.#stream = tokenizer.decodeStream()
    this.#scanner = new StopScanner(stops)
  }

  #emit(text: string): void {
    if (text) this.onText?.(text)
    this.#text += text
  }

  /** True when a stop text was completed. */
  async push(id: number): Promise<boolean> {
    this.#emit(this.#scanner.push(await this.#stream.push(id)))
    return this.#scanner.stopped
  }

  async end(): Promise<string> {
    this.#emit(this.#scanner.push(await this.#stream.end()))
    this.#emit(this.#scanner.end())
    return this.#text
  }
}

/** Receives a generation piece by piece. */
export interface StreamOptions {
  /** Text as it becomes certain; called with prompt index when several are generated. */
  readonly onText?: (text: string, index: number) => void
  readonly signal?: AbortSignal
}

/** Continues prompts: greedily, by sampling, by beams. */
export class Generator {
  readonly #parts: GeneratorParts

  constructor(parts: GeneratorParts) {
    this.#parts = parts
  }

  async generate(
    prompt: ArrayLike<number>,
    options: GenerateOptions,
    stream: StreamOptions = {},
  ): Promise<Generation> {
    return (await this.generateAll([prompt], options, 1, stream))[0]!
  }

  /**
   * Continues every prompt, at most `batch` at a time; results are in the order of the prompts and do not depend on
   * `batch`. Prompt i samples with stream i of the seed. Null is passed over and has no result. Throws IFT_GENERATE_OPTION, before
   * anything begins, for a list of adapters of another length than the prompts'.
   */
  async generateAll(
    prompts: readonly (ArrayLike<number> | null)[],
    options: GenerateOptions,
    batch = 16,
    stream: StreamOptions = {},
    onDone?: (generation: Generation, index: number) => void | Promise<void>,
  ): Promise<Generation[]> {
    const settings = decodeSettings(options)
    const { adapter } = options
    const each = typeof adapter === 'object' && adapter !== null ? adapter : null
    if (each !== null && each.length !== prompts.length)
      throw new IftError(
        'IFT_GENERATE_OPTION',
        `adapter expected one name, or a list with one for each prompt (${prompts.length}), found a list of ${each.length}.`,
        'In a list null is the base alone, undefined the adapter in use.',
      )
    const results = new Array<Generation>(prompts.length)
    for (const [index, prompt] of prompts.entries())
      if (prompt) this.#checkLength(prompt.length, settings, index)
    const finish = async (index: number, generation: Generation) => {
      results[index] = generation
      await onDone?.(generation, index)
    }
    const { decoder } = this.#parts
    const begin = (index: number) =>
      decoder.add(each === null ? (adapter as AdapterChoice | undefined) : each[index])
    // While they are there, virtual tokens of methods stay in the cache from one prompt to the next.
    const empty: number[] = []
    try {
      for (const one of new Set(each ?? [adapter as AdapterChoice | undefined])) empty.push(decoder.add(one))
      if (settings.numBeams === 1) await this.#tracks(prompts, settings, batch, stream, { begin, finish })
      else
        for (const [index, prompt] of prompts.entries())
          if (prompt)
            await finish(
              index,
              await this.#beams(Array.from(prompt), settings, { index, first: begin(index) }, stream),
            )
    } finally {
      for (const sequence of empty) decoder.remove(sequence)
    }
    return results
  }

  /** Throws what `generateAll` would throw because of a prompt's length. */
  check(prompt: ArrayLike<number>, options: GenerateOptions, index = 0): void {
    this.#checkLength(prompt.length, decodeSettings(options), index)
  }

  #checkLength(promptTokens: number, settings: DecodeSettings, index: number): void {
    const { maxPositions, virtualTokens = 0 } = this.#parts
    if (promptTokens === 0)
      throw new IftError(
        'IFT_GENERATE_EMPTY',
        `Prompt ${index} has no tokens.`,
        'Give at least one character or bos.',
      )
    if (maxPositions !== null && promptTokens >= maxPositions)
      throw new IftError(
        'IFT_SEQUENCE_TOO_LONG',
        `Prompt ${index} has ${promptTokens} tokens; the model's limit is ${maxPositions} with the answer${saidVirtual(virtualTokens, ', behind ')}.`,
        `Shorten it to ${maxPositions - Math.min(settings.maxNewTokens, maxPositions - 1)} tokens or fewer.`,
      )
  }

  /** Tokens that may be generated after a prompt. */
  #room(promptTokens: number, settings: DecodeSettings): number {
    const { maxPositions } = this.#parts
    return Math.min(settings.maxNewTokens, maxPositions === null ? Infinity : maxPositions - promptTokens)
  }

  async #tracks(
    prompts: readonly (ArrayLike<number> | null)[],
    settings: DecodeSettings,
    batch: number,
    stream: StreamOptions,
    { begin, finish }: TrackEnds,
  ): Promise<void> {
    const { decoder, tokenizer, ends, stop, tap } = this.#parts
    const stops = [...stop, ...settings.stop]
    const active: Track[] = []
    let next = 0
    const close = async (track: Track, reason: FinishReason) => {
      decoder.remove(track.sequence)
      active.splice(active.indexOf(track), 1)
      await finish(track.index, {
        text: await track.text.end(),
        ids: Int32Array.from(track.ids.slice(track.promptTokens)),
        finish: reason,
        promptTokens: track.promptTokens,
      })
    }
    try {
      while (next < prompts.length || active.length) {
        while (next < prompts.length && active.length < batch) {
          const index = next++
          const prompt = prompts[index]
          if (!prompt) continue
          const ids = Array.from(prompt)
          const onText = stream.onText && ((text: string) => stream.onText!(text, index))
          active.push({
            index,
            ids,
            promptTokens: ids.length,
            sequence: begin(index),
            random: new Random(settings.seed, index),
            text: new Writer(tokenizer, stops, onText),
            fed: 0,
          })
        }
        if (!active.length) break
        const scores = decoder.feed(
          active.map((track) => ({ sequence: track.sequence, ids: track.ids.slice(track.fed) })),
        )
        const chosen = await choose(scores, active, settings, ends, tap).finally(() => {
          scores.release()
        })
        for (const [i, track] of [...active].entries()) {
          track.fed = track.ids.length
          const id = chosen[i]!
          if (ends.has(id)) {
            await close(track, 'eos')
            continue
          }
          track.ids.push(id)
          if (await track.text.push(id)) await close(track, 'stop')
          else if (track.ids.length - track.promptTokens >= this.#room(track.promptTokens, settings))
            await close(track, 'length')
        }
        stream.signal?.throwIfAborted()
      }
    } finally {
      for (const track of active) decoder.remove(track.sequence)
    }
  }

  async #rows(feeds: readonly Feed[]): Promise<Float32Array[]> {
    const scores = this.#parts.decoder.feed(feeds)
    return scores.rows().finally(() => {
      scores.release()
    })
  }

  async #beams(
    prompt: readonly number[],
    settings: DecodeSettings,
    { index, first }: { readonly index: number; readonly first: number },
    stream: StreamOptions,
  ): Promise<Generation> {
    const { decoder, tokenizer, ends, stop, tap } = this.#parts
    const search = new BeamSearch(
      prompt,
      { ...settings, maxNewTokens: this.#room(prompt.length, settings) },
      ends,
      new Random(settings.seed, index),
    )
    const sequences = Array.from({ length: settings.numBeams }, (_, i) => (i ? -1 : first))
    try {
      const [start] = await this.#rows([{ sequence: first, ids: prompt }])
      let scores: Float32Array[] = sequences.map(() => Float32Array.from(start!))
      for (let i = 1; i < settings.numBeams; i++) sequences[i] = decoder.fork(first)
      for (;;) {
        search.advance(scores, (row, ids) => {
          processScores(row, { ids, promptTokens: prompt.length }, settings, ends, tap)
        })
        if (search.done) break
        stream.signal?.throwIfAborted()
        const before = sequences.length
        // One after the other, so that those that are there are removed where one fails.
        for (const { parent } of search.beams) sequences.push(decoder.fork(sequences[parent]!))
        for (const sequence of sequences.splice(0, before)) decoder.remove(sequence)
        scores = await this.#rows(
          search.beams.map(({ ids }, i) => ({ sequence: sequences[i]!, ids: ids.slice(-1) })),
        )
      }
    } finally {
      for (const sequence of sequences) if (sequence >= 0) decoder.remove(sequence)
    }
    const ids = search.best().slice(prompt.length)
    const ended = ends.has(ids.at(-1) ?? -1)
    const text = new Writer(
      tokenizer,
      [...stop, ...settings.stop],
      stream.onText && ((piece) => stream.onText!(piece, index)),
    )
    const kept: number[] = []
    let stopped = false
    for (const id of ended ? ids.slice(0, -1) : ids) {
      kept.push(id)
      stopped = await text.push(id)
      if (stopped) break
    }
    return {
      text: await text.end(),
      ids: Int32Array.from(kept),
      finish: stopped ? 'stop' : ended ? 'eos' : 'length',
      promptTokens: prompt.length,
    }
  }
}
