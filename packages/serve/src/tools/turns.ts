import { Events, openEnd, type ToolEvent, type ToolParser } from './events.js'

/** Reads what stands behind the name of a function. */
export interface TurnCall {
  /** Null asks for more; otherwise the text behind the call, which is a turn of its own or goes on as text. */
  feed(text: string): { readonly rest: string; readonly next: 'head' | 'text' } | null
  /** The answer ends inside the call. */
  end(): void
}

const role = '<|assistant|>'
const nameCharacters = /^[\w.-]*$/
/** Characters of a function's name at most. */
const longestName = 256

/**
 * ChatGLM3 and GLM-4 write what a turn is behind the role's token: nothing for text, a name for a call. The token itself is special and
 * does not show in an answer, so a turn of text is followed by a call only where the text of special tokens is shown.
 */
export class TurnsParser implements ToolParser {
  protected readonly events = new Events()
  #buffer = ''
  #where: 'head' | 'text' | TurnCall = 'head'

  /**
   * `lead` stands between the head and a text, `opening` between the head and a call; `call` gives the reader of a call, or null where the
   * function may not be called.
   */
  constructor(
    readonly form: {
      readonly lead: string
      readonly opening: string
      readonly call: (name: string, events: Events) => TurnCall | null
    },
  ) {}

  feed(text: string): ToolEvent[] {
    this.#buffer += text
    this.#read(false)
    return this.events.take()
  }

  end(): ToolEvent[] {
    this.#read(true)
    this.events.end()
    return this.events.take()
  }

  #read(final: boolean): void {
    for (;;)
      if (
        !(this.#where === 'head'
          ? this.#readHead(final)
          : this.#where === 'text'
            ? this.#readText(final)
            : this.#readCall(this.#where, final))
      )
        return
  }

  #readHead(final: boolean): boolean {
    const { lead, opening, call } = this.form
    if (this.#buffer.startsWith(role)) this.#buffer = this.#buffer.slice(role.length)
    const open = (text: string) => !final && text.startsWith(this.#buffer)
    if (open(role) || open(lead)) return false
    if (this.#buffer.startsWith(lead)) {
      this.#buffer = this.#buffer.slice(lead.length)
      this.#where = 'text'
      return true
    }
    const line = this.#buffer.indexOf('\n')
    const name = line < 0 ? this.#buffer : this.#buffer.slice(0, line)
    this.#where = 'text'
    if (name === '' || name.length > longestName || !nameCharacters.test(name)) return true
    const behind = line < 0 ? '' : this.#buffer.slice(line)
    if (!behind.startsWith(opening)) {
      if (final || !opening.startsWith(behind)) return true
      this.#where = 'head'
      return false
    }
    const reader = call(name, this.events)
    if (!reader) return true
    this.#buffer = behind.slice(opening.length)
    this.#where = reader
    return true
  }

  #readText(final: boolean): boolean {
    const at = this.#buffer.indexOf(role)
    const end = at >= 0 ? at : this.#buffer.length - (final ? 0 : openEnd(this.#buffer, [role]))
    this.events.content(this.#buffer.slice(0, end))
    this.#buffer = this.#buffer.slice(end)
    if (at < 0) return false
    this.#where = 'head'
    return true
  }

  #readCall(call: TurnCall, final: boolean): boolean {
    const over = call.feed(this.#buffer)
    this.#buffer = over?.rest ?? ''
    if (over) this.#where = over.next
    else if (final) call.end()
    return over !== null
  }
}
