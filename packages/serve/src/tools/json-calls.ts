import { JsonValueEnd } from './json-value.js'
import type { Events } from './events.js'

/** How calls in JSON stand in a text. */
export interface JsonCallsOptions {
  /** Whether a function of this name may be called. */
  readonly accepts: (name: string) => boolean
  /** Whether a call may leave its arguments out where nothing but the JSON shows that it is one. */
  readonly marked: boolean
  /** Texts at which the calls are over even where the JSON is not: outside of strings, or behind a line break that no string can have. */
  readonly closing: readonly string[]
}

/** What comes next; 'skip' is the rest of a call that was given out and is no JSON, 'broken' of what is no call. */
type Next = 'key' | 'colon' | 'value' | 'comma' | 'between' | 'skip' | 'broken'

/** Keys of a call besides its name and arguments. */
const otherKeys = ['type', 'id', 'index']

function unquoted(text: string): string | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'string' ? value : null
  } catch {
    return null
  }
}

/**
 * Reads `{"name": …, "arguments": …}` and OpenAI's `{"type": "function", "function": {…}}`, one or several in a row or in a list. A call is
 * given out as soon as its name and the beginning of its arguments are known, the arguments as they come. The text that turns out to be no
 * call is in `raw`.
 */
export class JsonCalls {
  #buffer = ''
  #next: Next = 'between'
  #list = false
  /** Levels of objects around: 2 inside of "function". */
  #depth = 0
  #key = ''
  #value = new JsonValueEnd()
  #text = ''
  #name: string | null = null
  /** Arguments that came before the name. */
  #early: string | null = null
  /** The call that is being read, once it was given out. */
  #index: number | null = null
  #calls = 0
  /** Text since the last call that was given out. */
  raw = ''

  constructor(
    readonly events: Events,
    readonly options: JsonCallsOptions,
  ) {}

  /** Calls that were given out. */
  get calls(): number {
    return this.#calls
  }

  /** What was read in vain: `raw`, but for what stands between calls and behind them. */
  get unread(): string {
    const separators = this.#next === 'between' && this.#calls > 0
    return separators ? this.raw.replaceAll(/[,;\]]/g, '') : this.raw
  }

  /**
   * Takes text. Null asks for more; otherwise the calls are over and the text behind them is returned, a closing text in front where one was
   * found.
   */
  feed(text: string, final = false): string | null {
    this.#buffer += text
    let at = 0
    const over = (): string => {
      const rest = this.#buffer.slice(at)
      this.#buffer = ''
      return rest
    }
    for (; at < this.#buffer.length; at++) {
      const char = this.#buffer[at]!
      const closing = this.#closingAt(at, final)
      if (closing === 'open') break
      if (closing === 'found') return over()
      if (this.#next === 'between' && !this.#continues(char)) {
        if (!this.options.marked) return over()
        this.#next = this.#calls > 0 ? 'skip' : 'broken'
      }
      if (this.#index === null) this.raw += char
      this.#push(char)
      if (this.#next === 'broken' && !this.options.marked) {
        at++
        return over()
      }
    }
    this.#buffer = this.#buffer.slice(at)
    return final ? '' : null
  }

  #closingAt(at: number, final: boolean): 'found' | 'open' | null {
    const inString = this.#next === 'value' && this.#value.inString
    for (const mark of this.options.closing) {
      const text = inString ? `\n${mark}` : mark
      if (this.#buffer.startsWith(text, at)) return 'found'
      if (!final && text.startsWith(this.#buffer.slice(at))) return 'open'
    }
    return null
  }

  /** Whether a character between calls belongs to them. */
  #continues(char: string): boolean {
    if (/\s/.test(char) || char === '{') return true
    if (char === '[') return this.#calls === 0 && !this.#list
    return this.#calls > 0 && (char === ',' || char === ';' || (this.#list && char === ']'))
  }

  #push(char: string): void {
    if (this.#next === 'value') {
      this.#valueCharacter(char)
      return
    }
    if (this.#next === 'key' && this.#text !== '') {
      this.#text += char
      if (this.#value.push(char) !== 'last') return
      this.#key = unquoted(this.#text) ?? ''
      this.#text = ''
      this.#next = 'colon'
      return
    }
    if (this.#next === 'broken' || this.#next === 'skip' || /\s/.test(char)) return
    switch (this.#next) {
      case 'between':
        if (char === '{') this.#open()
        else if (char === '[') this.#list = true
        return
      case 'key':
        if (char === '"') {
          this.#value = new JsonValueEnd()
          this.#value.push(char)
          this.#text = char
        } else if (char === '}') this.#close()
        else this.#break()
        return
      case 'colon':
        if (char !== ':') this.#break()
        else {
          this.#next = 'value'
          this.#value = new JsonValueEnd()
          this.#text = ''
        }
        return
      default:
        if (char === ',') this.#next = 'key'
        else if (char === '}') this.#close()
        else this.#break()
    }
  }

  #open(): void {
    this.#depth++
    this.#next = 'key'
    if (this.#depth > 1) return
    this.#name = null
    this.#early = null
    this.#index = null
  }

  #close(): void {
    this.#depth--
    if (this.#depth > 0) {
      this.#next = 'comma'
      return
    }
    if (this.#index === null && this.#name !== null && this.options.marked && this.#early === null)
      this.#early = '{}'
    this.#begin()
    if (this.#index === null) {
      this.#break()
      return
    }
    this.#done()
  }

  #done(): void {
    this.#index = null
    this.#depth = 0
    this.#next = 'between'
  }

  /** A call that was given out stays one; its JSON may end in any way. */
  #break(): void {
    if (this.#index === null) this.#next = 'broken'
    else if (this.options.marked) this.#next = 'skip'
    else this.#done()
  }

  /** Gives the call out when name and arguments are known. */
  #begin(): void {
    if (this.#index !== null || this.#name === null || this.#early === null) return
    this.#calls++
    this.raw = ''
    this.#index = this.events.call(this.#name)
    this.events.arguments(this.#index, this.#early)
    this.#early = null
  }

  #valueCharacter(char: string): void {
    const key = this.#key
    if (key === 'function' && char === '{' && this.#text.trim() === '' && this.#depth === 1) {
      this.#open()
      return
    }
    const place = this.#value.push(char)
    if (place === 'before') return
    const isArguments = key === 'arguments' || key === 'parameters'
    if (place !== 'behind') {
      this.#text += char
      // An object is passed on as it comes; a text that holds JSON when it is whole.
      if (isArguments && this.#text.startsWith('{')) this.#argument(char)
      if (place === 'inside') return
    }
    this.#next = 'comma'
    const value = this.#text
    this.#text = ''
    if (isArguments) {
      if (value === '') this.#break()
      else if (!value.startsWith('{')) this.#argument(value === 'null' ? '{}' : (unquoted(value) ?? value))
    } else if (key === 'name' || key === 'function') this.#named(unquoted(value))
    else if (!otherKeys.includes(key) && !this.options.marked) this.#break()
    if (place === 'behind' && this.#awaits('comma')) this.#push(char)
  }

  #awaits(next: Next): boolean {
    return this.#next === next
  }

  #named(name: string | null): void {
    if (name === null || name === '' || !this.options.accepts(name)) {
      this.#break()
      return
    }
    this.#name ??= name
    this.#begin()
  }

  #argument(text: string): void {
    if (this.#index !== null) this.events.arguments(this.#index, text)
    else {
      this.#early = (this.#early ?? '') + text
      this.#begin()
    }
  }
}
