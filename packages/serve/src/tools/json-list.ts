import { Events, type ToolEvent, type ToolParser } from './events.js'
import { JsonCalls } from './json-calls.js'

/** Mistral's special token in front of the list, which does not show in an answer as a rule. */
const mark = '[TOOL_CALLS]'

/**
 * The calls alone as the whole answer, as core's `writtenCalls` writes them for templates without a form of their own (Alpaca, Vicuna,
 * ChatML and the other built-in ones): a JSON list of `{"name": …, "arguments": …}`, or of OpenAI's `{"type": "function", "function": …}`.
 * Mistral's list of calls is the same. Any other answer is text.
 */
export class JsonListParser implements ToolParser {
  readonly #events = new Events()
  readonly #calls: JsonCalls
  #where: 'start' | 'calls' | 'text' = 'start'
  /** The beginning, until it is known what it is one of. */
  #held = ''
  #mark = ''

  constructor(accepts: (name: string) => boolean) {
    this.#calls = new JsonCalls(this.#events, { accepts, marked: false, closing: [] })
  }

  feed(text: string): ToolEvent[] {
    this.#read(this.#held + text, false)
    return this.#events.take()
  }

  end(): ToolEvent[] {
    this.#read(this.#held, true)
    this.#events.end()
    return this.#events.take()
  }

  #read(text: string, final: boolean): void {
    this.#held = ''
    let given = text
    if (this.#where === 'start') {
      const begin = text.trimStart()
      if (!final && mark.startsWith(begin)) {
        this.#held = text
        return
      }
      this.#where = begin.startsWith('[') ? 'calls' : 'text'
      if (begin.startsWith(mark)) {
        this.#mark = mark
        given = begin.slice(mark.length)
      }
    }
    if (this.#where === 'text') {
      this.#events.content(given)
      return
    }
    const rest = this.#calls.feed(given, final)
    if (rest === null) return
    this.#events.content((this.#calls.calls === 0 ? this.#mark : '') + this.#calls.unread + rest)
    this.#where = 'text'
  }
}
