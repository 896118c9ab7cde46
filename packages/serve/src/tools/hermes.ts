import { Events, openEnd, withoutStart, type ToolEvent, type ToolParser } from './events.js'
import { JsonCalls } from './json-calls.js'

const open = '<tool_call>'
const close = '</tool_call>'

/**
 * Hermes and Qwen: `<tool_call>\n{"name": …, "arguments": {…}}\n</tool_call>`, once a call, text around them. What stands between the marks
 * and is no call stays text, marks and all.
 */
export class HermesParser implements ToolParser {
  readonly #events = new Events()
  #buffer = ''
  #calls: JsonCalls | null = null

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
    for (;;) if (!(this.#calls ? this.#readCalls(this.#calls, final) : this.#readText(final))) return
  }

  #readText(final: boolean): boolean {
    const at = this.#buffer.indexOf(open)
    const end = at >= 0 ? at : this.#buffer.length - (final ? 0 : openEnd(this.#buffer, [open]))
    this.#events.content(this.#buffer.slice(0, end))
    this.#buffer = this.#buffer.slice(at >= 0 ? end + open.length : end)
    if (at < 0) return false
    // A call that the model begins anew without an end of the one before.
    this.#calls = new JsonCalls(this.#events, { accepts: () => true, marked: true, closing: [close, open] })
    return true
  }

  #readCalls(calls: JsonCalls, final: boolean): boolean {
    const rest = calls.feed(this.#buffer, final)
    this.#buffer = ''
    if (rest === null) return false
    this.#calls = null
    const behind = withoutStart(rest)
    const closed = behind.startsWith(close)
    if (calls.calls === 0) this.#events.content(open + calls.raw + (closed ? close : ''))
    this.#buffer = closed ? behind.slice(close.length) : behind
    return this.#buffer !== ''
  }
}
