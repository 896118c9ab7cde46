import { openEnd, type ToolEvent, type ToolParser } from './events.js'

const open = '<think>'
const close = '</think>'

/** Whether a prompt ends inside of thoughts, which some templates begin for the model. */
export const opensReasoning = (prompt: string): boolean =>
  prompt.lastIndexOf(open) > prompt.lastIndexOf(close) && prompt.trimEnd().endsWith(open)

/**
 * Takes `<think>…</think>` from the beginning of an answer; what follows goes to the parser of the answer. The mark anywhere else is text.
 * White space at the marks belongs to the form.
 */
export class ReasoningParser implements ToolParser {
  #where: 'start' | 'thoughts' | 'behind' | 'answer'
  #buffer = ''
  /** White space that belongs to the thoughts if more of them follow; null before the first. */
  #space: string | null = null

  /** `opened`: the prompt ends inside of thoughts. */
  constructor(
    readonly answer: ToolParser,
    opened: boolean,
  ) {
    this.#where = opened ? 'thoughts' : 'start'
  }

  feed(text: string): ToolEvent[] {
    return this.#read(text, false)
  }

  end(): ToolEvent[] {
    return [...this.#read('', true), ...this.answer.end()]
  }

  #read(text: string, final: boolean): ToolEvent[] {
    if (this.#where === 'answer') return this.answer.feed(text)
    this.#buffer += text
    const events: ToolEvent[] = []
    if (this.#where === 'start') {
      const begin = this.#buffer.trimStart()
      if (begin.startsWith(open)) {
        this.#buffer = begin.slice(open.length)
        this.#where = 'thoughts'
      } else if (final || !open.startsWith(begin)) return this.#toAnswer()
      else return []
    }
    if (this.#where === 'thoughts') {
      const at = this.#buffer.indexOf(close)
      const end = at >= 0 ? at : this.#buffer.length - (final ? 0 : openEnd(this.#buffer, [close]))
      events.push(...this.#think(this.#buffer.slice(0, end)))
      this.#buffer = this.#buffer.slice(at >= 0 ? at + close.length : end)
      if (at < 0) return events
      this.#where = 'behind'
    }
    this.#buffer = this.#buffer.trimStart()
    return this.#buffer === '' ? events : [...events, ...this.#toAnswer()]
  }

  #think(text: string): ToolEvent[] {
    const all = (this.#space ?? '') + text
    const said = all.trimEnd()
    if (said === '') {
      // White space in front of the first thought.
      if (this.#space !== null) this.#space = all
      return []
    }
    const first = this.#space === null
    this.#space = all.slice(said.length)
    return [{ kind: 'reasoning', text: first ? said.trimStart() : said }]
  }

  #toAnswer(): ToolEvent[] {
    this.#where = 'answer'
    const text = this.#buffer
    this.#buffer = ''
    return this.answer.feed(text)
  }
}
