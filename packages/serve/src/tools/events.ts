import { randomInt } from 'node:crypto'

/** What an answer says, in order: text for the reader, thoughts, calls of functions. */
export type ToolEvent =
  | { readonly kind: 'content'; readonly text: string }
  | { readonly kind: 'reasoning'; readonly text: string }
  | { readonly kind: 'call'; readonly index: number; readonly id: string; readonly name: string }
  /** A piece of the JSON text of a call's arguments. */
  | { readonly kind: 'arguments'; readonly index: number; readonly text: string }

/** Reads an answer while it is written. Pieces may be cut anywhere; the start of a mark is never given out as content. */
export interface ToolParser {
  feed(text: string): ToolEvent[]
  /** What was held back, when nothing follows. */
  end(): ToolEvent[]
}

/** A function that may be called. */
export interface CallableFunction {
  readonly name: string
  /** JSON schema of its arguments. */
  readonly parameters?: unknown
}

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

const callId = (): string =>
  `call_${Array.from({ length: 24 }, () => letters[randomInt(letters.length)]!).join('')}`

const startingSpace = /^\s*/
const endingSpace = /\s*$/

/**
 * The events of an answer with calls. White space between text and a call, between calls and behind the last one belongs to the form, not
 * to the text; an answer without calls keeps all of its own.
 */
export class Events {
  #list: ToolEvent[] = []
  #calls = 0
  /** White space that is text if text follows. */
  #space = ''
  #afterCall = false

  /** The events since the last time; neighbours of one kind are joined. */
  take(): ToolEvent[] {
    const list = this.#list
    this.#list = []
    return list
  }

  content(text: string): void {
    const all = this.#space + text
    const space = endingSpace.exec(all)![0]
    this.#space = space
    if (space.length === all.length) return
    this.#push('content', all.slice(0, all.length - space.length))
    this.#afterCall = false
  }

  /** The end of the answer. */
  end(): void {
    if (this.#space !== '' && !this.#afterCall) this.#push('content', this.#space)
    this.#space = ''
  }

  /** Begins a call; gives its index. */
  call(name: string): number {
    this.#space = ''
    this.#afterCall = true
    const index = this.#calls++
    this.#list.push({ kind: 'call', index, id: callId(), name })
    return index
  }

  arguments(index: number, text: string): void {
    const last = this.#list.at(-1)
    if (text === '') return
    if (last?.kind === 'arguments' && last.index === index)
      this.#list[this.#list.length - 1] = { ...last, text: last.text + text }
    else this.#list.push({ kind: 'arguments', index, text })
  }

  #push(kind: 'content', text: string): void {
    const last = this.#list.at(-1)
    if (last?.kind === kind) this.#list[this.#list.length - 1] = { kind, text: last.text + text }
    else this.#list.push({ kind, text })
  }
}

/** Length of the longest end of a text that a mark could begin with. */
export function openEnd(text: string, marks: readonly string[]): number {
  let longest = 0
  for (const mark of marks)
    for (let n = Math.min(mark.length - 1, text.length); n > longest; n--)
      if (text.endsWith(mark.slice(0, n))) longest = n
  return longest
}

/** A text without the white space in front. */
export const withoutStart = (text: string): string => text.slice(startingSpace.exec(text)![0].length)
