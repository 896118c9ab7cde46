import type { DecodeStream, Tokenizer } from '../contract/tokenizer.js'
import { StopScanner } from './stop.js'

/** Turns ids into text as it becomes certain, and watches for stop texts. */
export class AnswerWriter {
  readonly #stream: DecodeStream
  readonly #scanner: StopScanner
  #text = ''

  constructor(
    tokenizer: Tokenizer,
    stops: readonly string[],
    readonly onText: (text: string) => void,
  ) {
    this.#stream = tokenizer.decodeStream()
    this.#scanner = new StopScanner(stops)
  }

  #emit(text: string): void {
    if (text) this.onText(text)
    this.#text += text
  }

  /** True when a stop text was completed. */
  async push(id: number): Promise<boolean> {
    this.#emit(this.#scanner.push(await this.#stream.push(id)))
    return this.#scanner.found !== null
  }

  /** The stop text that ended the answer. */
  get stopText(): string | null {
    return this.#scanner.found
  }

  /** The whole text. */
  async end(): Promise<string> {
    this.#emit(this.#scanner.push(await this.#stream.end()))
    this.#emit(this.#scanner.end())
    return this.#text
  }
}
