/** The keyword arguments of a Python call as JSON, and where the text behind the closing bracket begins. */
export interface PythonCall {
  readonly json: string
  readonly end: number
}

class Open extends Error {}
class Broken extends Error {}

const escapes: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  '\\': '\\',
  "'": "'",
  '"': '"',
  '\n': '',
}
const words: Readonly<Record<string, string>> = { None: 'null', True: 'true', False: 'false' }
const deepest = 64

/** Literals of Python as JSON; numbers keep their digits. */
class Literals {
  at = 0

  constructor(readonly text: string) {}

  space(): void {
    while (/\s/.test(this.text[this.at] ?? '')) this.at++
  }

  peek(): string {
    this.space()
    const char = this.text[this.at]
    if (char === undefined) throw new Open()
    return char
  }

  take(expected: string): void {
    if (this.peek() !== expected) throw new Broken()
    this.at++
  }

  #word(pattern: RegExp): string {
    this.peek()
    const [word = ''] = pattern.exec(this.text.slice(this.at)) ?? []
    if (this.at + word.length === this.text.length) throw new Open()
    this.at += word.length
    return word
  }

  name(): string {
    const name = this.#word(/^[\p{L}_][\p{L}\p{N}_]*/u)
    if (name === '') throw new Broken()
    return name
  }

  #string(): string {
    const quote = this.peek()
    this.at++
    let value = ''
    for (;;) {
      const char = this.text[this.at++]
      if (char === undefined) throw new Open()
      if (char === quote) return value
      if (char === '\n') throw new Broken()
      if (char !== '\\') value += char
      else {
        const next = this.text[this.at++]
        if (next === undefined) throw new Open()
        const digits = { x: 2, u: 4, U: 8 }[next]
        if (digits === undefined) value += escapes[next] ?? `\\${next}`
        else {
          const code = this.text.slice(this.at, this.at + digits)
          if (code.length < digits) throw new Open()
          const point = parseInt(code, 16)
          if (!/^[\da-f]+$/i.test(code) || point > 0x10ffff) throw new Broken()
          value += String.fromCodePoint(point)
          this.at += digits
        }
      }
    }
  }

  value(depth = 0): string {
    if (depth > deepest) throw new Broken()
    const char = this.peek()
    if (char === '"' || char === "'") return JSON.stringify(this.#string())
    if (char === '[') return `[${this.#items(']', () => this.value(depth + 1))}]`
    if (char === '{')
      return `{${this.#items('}', () => {
        const key = this.value(depth + 1)
        this.take(':')
        return `${key.startsWith('"') ? key : JSON.stringify(key)}: ${this.value(depth + 1)}`
      })}}`
    const word = this.#word(/^[-+\w.]+/)
    if (Object.hasOwn(words, word)) return words[word]!
    if (/^-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?$/.test(word)) return word
    throw new Broken()
  }

  #items(close: string, item: () => string): string {
    this.at++
    return this.list(close, item)
  }

  list(close: string, item: () => string): string {
    const items: string[] = []
    while (this.peek() !== close) {
      if (items.length > 0) {
        this.take(',')
        if (this.peek() === close) break
      }
      items.push(item())
    }
    this.at++
    return items.join(', ')
  }
}

/** Reads `key=value, …)`. 'open' when the text ends inside, null for what is no such call. */
export function readPythonCall(text: string): PythonCall | 'open' | null {
  const literals = new Literals(text)
  try {
    const json = literals.list(')', () => {
      const name = literals.name()
      literals.take('=')
      return `${JSON.stringify(name)}: ${literals.value()}`
    })
    return { json: `{${json}}`, end: literals.at }
  } catch (cause) {
    if (cause instanceof Open) return 'open'
    if (cause instanceof Broken) return null
    throw cause
  }
}
