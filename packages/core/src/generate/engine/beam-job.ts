import { AnswerWriter } from '../answer-writer.js'
import { BeamSearch } from '../beam.js'
import { Random } from '../random.js'
import { processScores, type LogitsTap } from '../settings.js'
import { Job, type EngineDecoder, type JobOrder } from './job.js'
import type { AnswerParts } from './sample-job.js'

/** A prompt that is continued by a beam search, whose beams are sequences of the batch. */
export class BeamJob extends Job {
  override readonly width: number
  override readonly pagesAside: number
  readonly #prompt: readonly number[]
  readonly #parts: AnswerParts
  #search!: BeamSearch

  constructor(order: JobOrder, prompt: ArrayLike<number>, parts: AnswerParts) {
    super(order)
    this.#prompt = Array.from(prompt)
    this.#parts = parts
    this.width = parts.settings.numBeams
    // Each beam that goes on has a copy of the last page, before those of the step before go.
    this.pagesAside = this.width
  }

  /** A search begins anew: nobody has seen anything of it. */
  beginning(): readonly number[] {
    const { settings, ends, stream } = this.#parts
    this.#search = new BeamSearch(this.#prompt, settings, ends, new Random(settings.seed, stream))
    return this.#prompt
  }

  /** Takes the scores of its lines, f32 [vocab] each; when the search is over, what gives the answer to who asked. */
  async take(
    rows: readonly Float32Array[],
    decoder: EngineDecoder,
    tap: LogitsTap | null,
  ): Promise<(() => void) | null> {
    const { settings, ends } = this.#parts
    const promptTokens = this.#prompt.length
    // After the prompt all beams are the one line.
    const scores = Array.from({ length: this.width }, (_, i) => rows[i] ?? Float32Array.from(rows[0]!))
    const search = this.#search
    search.advance(scores, (row, ids) => {
      processScores(row, { ids, promptTokens }, settings, ends, tap)
    })
    if (search.done) return this.#finish()
    const before = this.lines.length
    // One after the other, so that those that are there are removed where one fails.
    for (const { parent, ids } of search.beams) {
      const sequence = decoder.fork(this.lines[Math.min(parent, before - 1)]!.sequence)
      this.lines.push({ sequence, ids: [...ids], fed: ids.length - 1 })
    }
    for (const { sequence } of this.lines.splice(0, before)) decoder.remove(sequence)
    return null
  }

  async #finish(): Promise<() => void> {
    const { tokenizer, ends, stops, answer } = this.#parts
    const ids = this.#search.best().slice(this.#prompt.length)
    const ended = ends.has(ids.at(-1) ?? -1)
    let shown: number[] = []
    const writer = new AnswerWriter(tokenizer, stops, (text) => {
      answer.push({ text, ids: shown, logprobs: [] })
      shown = []
    })
    const kept: number[] = []
    let stopped = false
    for (const id of ended ? ids.slice(0, -1) : ids) {
      kept.push(id)
      shown.push(id)
      stopped = await writer.push(id)
      if (stopped) break
    }
    const text = await writer.end()
    return () => {
      answer.finish({
        text,
        ids: Int32Array.from(kept),
        finish: stopped ? 'stop' : ended ? 'eos' : 'length',
        promptTokens: this.#prompt.length,
        cachedTokens: this.cached,
        ...(ended && !stopped && { end: { id: ids.at(-1)!, logprob: null } }),
        ...(writer.stopText !== null && { stopText: writer.stopText }),
      })
    }
  }

  fail(error: unknown): void {
    this.#parts.answer.fail(error)
  }
}
