// Regular expressions of Oniguruma's Ruby syntax (doc/RE of Oniguruma 6.9), as far as it matters what they may cost: which characters, how often, and
// what may fail. They are not matched with this.

/** A set of characters, as a JavaScript expression for one of them; null for one that is not looked into, which may hold any. */
export type Characters = string | null

export type Node =
  | { readonly kind: 'one'; readonly set: Characters }
  /** A place: an anchor or a border of words. */
  | { readonly kind: 'place' }
  /** A lookahead or lookbehind. */
  | { readonly kind: 'look'; readonly body: Node }
  | { readonly kind: 'either'; readonly of: readonly Node[] }
  | { readonly kind: 'all'; readonly of: readonly Node[] }
  /** Greedy, lazy and possessive ones are not told apart. */
  | { readonly kind: 'repeat'; readonly body: Node; readonly least: number; readonly most: number }

/** A construct whose cost is not known: references, calls, conditions, free spacing. */
export class UnknownSyntax extends Error {}

/** White space of Oniguruma: that of Unicode with U+0085 and without U+FEFF, where JavaScript has it the other way round. */
const white = '\\t-\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000'
const controls: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13, a: 7, e: 27 }
const places = new Set(['A', 'z', 'Z', 'b', 'B', 'G', 'y', 'Y'])
const anyCharacter: Node = { kind: 'one', set: null }

/** Groups within each other; published expressions have three. */
const mostDepth = 100

const escaped = (code: number) => `\\u{${code.toString(16)}}`

class Parser {
  readonly #text: string
  #at = 0
  #depth = 0
  /** Whether case is ignored here, so that sets have more than they say. */
  #anyCase = false

  constructor(text: string) {
    this.#text = text
  }

  whole(): Node {
    const node = this.#either()
    if (this.#at < this.#text.length) throw new UnknownSyntax('a bracket that nothing opens')
    return node
  }

  #take(text: string): boolean {
    if (!this.#text.startsWith(text, this.#at)) return false
    this.#at += text.length
    return true
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)
    if (found) this.#at = pattern.lastIndex
    return found
  }

  #code(): number {
    const code = this.#text.codePointAt(this.#at)
    if (code === undefined) throw new UnknownSyntax('its end')
    this.#at += code > 0xffff ? 2 : 1
    return code
  }

  #either(): Node {
    if (++this.#depth > mostDepth) throw new UnknownSyntax(`groups more than ${mostDepth} deep`)
    const of: Node[] = []
    const outside = this.#anyCase
    do {
      const parts: Node[] = []
      while (this.#at < this.#text.length && !'|)'.includes(this.#text[this.#at]!))
        parts.push(this.#repeated(this.#atom()))
      of.push(parts.length === 1 ? parts[0]! : { kind: 'all', of: parts })
    } while (this.#take('|'))
    this.#anyCase = outside
    this.#depth--
    return of.length === 1 ? of[0]! : { kind: 'either', of }
  }

  #repeated(body: Node): Node {
    for (let node = body; ;) {
      const found = this.#match(/([*+?])[+?]?|\{(\d*)(?:(,)(\d*))?\}\??/uy)
      if (!found) return node
      const [text, sign, least = '', comma, most = ''] = found
      if (sign === undefined && least === '' && most === '') throw new UnknownSyntax(`'${text}'`)
      const from = sign === undefined ? Number(least) : sign === '+' ? 1 : 0
      const to =
        sign === undefined
          ? comma === undefined
            ? Number(least)
            : Number(most === '' ? Infinity : most)
          : sign === '?'
            ? 1
            : Infinity
      // `{n}?` is `{n}` or nothing.
      const optional = sign === undefined && comma === undefined && text.endsWith('?')
      // `{5,2}` is `{2,5}`.
      node = {
        kind: 'repeat',
        body: node,
        least: optional ? 0 : Math.min(from, to),
        most: Math.max(from, to),
      }
    }
  }

  #atom(): Node {
    if (this.#take('(')) return this.#group()
    if (this.#take('[')) return { kind: 'one', set: this.#class() }
    if (this.#take('.')) return anyCharacter
    if (this.#take('^') || this.#take('$')) return { kind: 'place' }
    if (this.#take('\\')) return this.#escape()
    return this.#literal(this.#code())
  }

  #literal = (code: number): Node => ({ kind: 'one', set: this.#anyCase ? null : escaped(code) })

  #group(): Node {
    if (this.#match(/\?#[^)]*\)/uy)) return { kind: 'all', of: [] }
    const flags = this.#match(/\?([imWDSPy{}gw]*)(?:-([imx]*))?([:)])/uy)
    const outside = this.#anyCase
    if (flags) {
      if (flags[1]!.includes('i')) this.#anyCase = true
      if (flags[2]?.includes('i')) this.#anyCase = false
      // Up to the end of the group that it stands in, which puts it back.
      if (flags[3] === ')') return { kind: 'all', of: [] }
    }
    const looks = !flags && this.#match(/\?<?[=!]/uy) !== null
    if (!flags && !looks) {
      this.#match(/\?>|\?<[A-Za-z_]\w*>|\?'[A-Za-z_]\w*'/uy)
      if (this.#text[this.#at] === '?' || this.#text[this.#at] === '*')
        throw new UnknownSyntax(`'(${this.#text.slice(this.#at, this.#at + 3)}'`)
    }
    const body = this.#either()
    this.#anyCase = outside
    if (!this.#take(')')) throw new UnknownSyntax('a bracket that nothing closes')
    return looks ? { kind: 'look', body } : body
  }

  #escape(): Node {
    const property = this.#match(/[pP]\{(\^?)(\w+)\}/uy)
    if (property) return { kind: 'one', set: this.#property(property) }
    const code = this.#escapedCode()
    if (code !== null) return this.#literal(code)
    const letter = String.fromCodePoint(this.#code())
    if (places.has(letter)) return { kind: 'place' }
    if (letter === 's') return { kind: 'one', set: `[${white}]` }
    if (letter === 'S') return { kind: 'one', set: `[^${white}]` }
    if (letter === 'd') return { kind: 'one', set: '\\p{Nd}' }
    if ('wWDhHNO'.includes(letter)) return anyCharacter
    if (/\w/.test(letter)) throw new UnknownSyntax(`'\\${letter}'`)
    return this.#literal(letter.codePointAt(0)!)
  }

  /** Categories have the same names in both; what is not in one differs with the version of Unicode. */
  #property([text, not, name]: RegExpExecArray): Characters {
    return text.startsWith('p') && not === '' && /^[A-Z][a-z]?$/.test(name!) && !this.#anyCase
      ? `\\${text}`
      : null
  }

  /** A character written by its number or name. */
  #escapedCode(): number | null {
    const number = this.#match(/x\{([\da-fA-F]{1,6})\}|x([\da-fA-F]{1,2})|u([\da-fA-F]{4})/uy)
    if (number) return parseInt(number[1] ?? number[2] ?? number[3]!, 16)
    const control = controls[this.#text[this.#at] ?? '']
    if (control !== undefined) this.#at++
    return control ?? null
  }

  /** Members are taken as they stand where they are characters, ranges and categories; of other classes nothing is known but where they end. */
  #class(): Characters {
    const not = this.#take('^')
    const members: string[] = []
    let known = !this.#anyCase
    for (let first = true; first || !this.#take(']'); first = false) {
      if (this.#take('[')) {
        if (!this.#match(/:\^?\w+:\]/uy)) this.#class()
        known = false
      } else if (this.#take('&&')) known = false
      else if (!this.#take('\\')) {
        const code = this.#code()
        members.push(code === 0x2d ? '-' : escaped(code))
      } else {
        const property = this.#match(/[pP]\{(\^?)(\w+)\}/uy)
        const set = property && this.#property(property)
        const code = property ? null : this.#escapedCode()
        if (property) {
          if (set === null || not) known = false
          else members.push(set)
        } else if (code !== null) members.push(escaped(code))
        else {
          const letter = String.fromCodePoint(this.#code())
          if (letter === 's') members.push(white)
          else if (letter === 'd' && !not) members.push('\\p{Nd}')
          else if (/\w/.test(letter)) known = false
          else members.push(escaped(letter.codePointAt(0)!))
        }
      }
    }
    if (!known) return null
    const set = `[${not ? '^' : ''}${members.join('')}]`
    try {
      new RegExp(set, 'u')
      return set
    } catch {
      return null
    }
  }
}

/** Throws `UnknownSyntax` for what is not looked into. */
export const parsePattern = (text: string): Node => new Parser(text).whole()
