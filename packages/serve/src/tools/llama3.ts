import { Events, openEnd, type ToolEvent, type ToolParser } from './events.js'
import { JsonCalls } from './json-calls.js'

const tag = '<|python_tag|>'

/**
 * Llama 3.1 and later: `{"name": …, "parameters": {…}}` as the whole answer, or behind `<|python_tag|>`; several separated by ";" or in a
 * list. Code behind the tag, and JSON that calls none of the functions, stay text.
 */
export class Llama3Parser implements ToolParser {
  readonly #events = new Events()
  #buffer = ''
  #calls: JsonCalls | null

  constructor(readonly accepts: (name: string) => boolean) {
    this.#calls = this.#reader()
  }

  #reader(): JsonCalls {
    return new JsonCalls(this.#events, { accepts: this.accepts, marked: false, closing: [tag] })
  }

  feed(text: string): ToolEvent[] {
    this.#buffer += text
    this.#read(false)
    return this.#events.take()
  }

  end(): ToolEvent[] {
    this.#read(true)
    this.#events.end()
    return this.#events.take()
  }

  #read(final: boolean): void {
    for (;;) {
      if (this.#calls) {
        const rest = this.#calls.feed(this.#buffer, final)
        this.#buffer = rest ?? ''
        if (rest === null) return
        this.#events.content(this.#calls.unread)
        this.#calls = null
      }
      const at = this.#buffer.indexOf(tag)
      const end = at >= 0 ? at : this.#buffer.length - (final ? 0 : openEnd(this.#buffer, [tag]))
      this.#events.content(this.#buffer.slice(0, end))
      this.#buffer = this.#buffer.slice(at >= 0 ? end + tag.length : end)
      if (at < 0) return
      this.#calls = this.#reader()
    }
  }
}
