import { Events, type ToolEvent, type ToolParser } from './events.js'
import { JsonCalls } from './json-calls.js'

/**
 * The calls alone as the whole answer, as core's `writtenCalls` writes them for templates without a form of their own (Alpaca, Vicuna,
 * ChatML and the other built-in ones): a JSON list of `{"name": …, "arguments": …}`, or of OpenAI's `{"type": "function", "function": …}`.
 * Any other answer is text.
 */
export class JsonListParser implements ToolParser {
  readonly #events = new Events()
  readonly #calls: JsonCalls
  #where: 'start' | 'calls' | 'text' = 'start'
  #space = ''

  constructor(accepts: (name: string) => boolean) {
    this.#calls = new JsonCalls(this.#events, { accepts, marked: false, closing: [] })
  }

  feed(text: string): ToolEvent[] {
    this.#read(this.#space + text, false)
    return this.#events.take()
  }

  end(): ToolEvent[] {
    this.#read(this.#space, true)
    this.#events.end()
    return this.#events.take()
  }

  #read(text: string, final: boolean): void {
    this.#space = ''
    if (this.#where === 'start') {
      const first = text.trimStart()[0]
      if (first !== undefined || final) this.#where = first === '[' ? 'calls' : 'text'
      else this.#space = text
    }
    if (this.#where === 'text') this.#events.content(text)
    if (this.#where !== 'calls') return
    const rest = this.#calls.feed(text, final)
    if (rest === null) return
    this.#events.content(this.#calls.unread + rest)
    this.#where = 'text'
  }
}
