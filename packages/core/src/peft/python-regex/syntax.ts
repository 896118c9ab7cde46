// The pattern syntax of Python's `re`, as far as it says which texts match: https://docs.python.org/3/library/re.html#regular-expression-syntax

/** Whether a character (one code point) belongs to a set. */
export type CharacterTest = (character: string) => boolean

/** A condition on a position between characters. */
export type PositionTest = (text: readonly string[], at: number) => boolean

/** Which texts a pattern matches. Greedy and lazy repeats match the same texts and are one node. */
export type Pattern =
  | { readonly kind: 'character'; readonly test: CharacterTest }
  | { readonly kind: 'sequence'; readonly parts: readonly Pattern[] }
  | { readonly kind: 'either'; readonly options: readonly Pattern[] }
  | { readonly kind: 'repeat'; readonly of: Pattern; readonly least: number; readonly most: number }
  | { readonly kind: 'position'; readonly test: PositionTest }
  | { readonly kind: 'look'; readonly of: Pattern; readonly ahead: boolean; readonly wanted: boolean }

interface Flags {
  readonly ignoreCase: boolean
  readonly multiline: boolean
  readonly dotAll: boolean
  readonly verbose: boolean
  readonly ascii: boolean
}

const flagNames: Readonly<Record<string, keyof Flags | null>> = {
  a: 'ascii',
  i: 'ignoreCase',
  m: 'multiline',
  s: 'dotAll',
  u: null,
  x: 'verbose',
}

/** Groups in groups: deeper ones are no pattern that anybody wrote. */
const deepest = 100

/**
 * Parses a pattern of Python's `re`. Throws SyntaxError for what `re.compile` refuses, and for what depends on the order in
 * which a backtracking matcher tries: back references, conditional groups, atomic groups and possessive repeats.
 */
export function parsePattern(source: string): Pattern {
  return new Parser(Array.from(source)).parse()
}

class Parser {
  #at = 0
  #depth = 0
  readonly #groups = new Set<string>()

  constructor(readonly source: readonly string[]) {}

  parse(): Pattern {
    let flags: Flags = {
      ignoreCase: false,
      multiline: false,
      dotAll: false,
      verbose: false,
      ascii: false,
    }
    // Flags of the whole pattern stand at its start alone.
    for (let found = this.#globalFlags(flags); found !== null; found = this.#globalFlags(flags)) flags = found
    const pattern = this.#either(flags)
    if (this.#at < this.source.length) throw this.#error('unbalanced parenthesis')
    return pattern
  }

  #globalFlags(flags: Flags): Flags | null {
    const head = /^\(\?([aimsux]+)\)/.exec(this.source.slice(this.#at, this.#at + 12).join(''))
    if (!head) return null
    this.#at += head[0].length
    return withFlags(flags, head[1]!, true)
  }

  #either(flags: Flags): Pattern {
    if (++this.#depth > deepest) throw this.#error(`more than ${deepest} groups in one another`)
    const options = [this.#sequence(flags)]
    while (this.#take('|')) options.push(this.#sequence(flags))
    this.#depth--
    return options.length === 1 ? options[0]! : { kind: 'either', options }
  }

  #sequence(flags: Flags): Pattern {
    const parts: Pattern[] = []
    for (;;) {
      if (flags.verbose) this.#skipSpace()
      const next = this.source[this.#at]
      if (next === undefined || next === '|' || next === ')') break
      const atom = this.#atom(flags)
      if (flags.verbose) this.#skipSpace()
      if (atom !== null) parts.push(this.#repeated(atom, flags))
    }
    return parts.length === 1 ? parts[0]! : { kind: 'sequence', parts }
  }

  #skipSpace(): void {
    for (;;) {
      const next = this.source[this.#at]
      if (next === '#') while (this.#at < this.source.length && this.source[this.#at] !== '\n') this.#at++
      else if (next !== undefined && /[ \t\n\r\f\v]/.test(next)) this.#at++
      else return
    }
  }

  #repeated(of: Pattern, flags: Flags): Pattern {
    const count = this.#count()
    if (count === null) return of
    if (of.kind === 'position') throw this.#error('a repeat of a position')
    if (this.#take('+')) throw this.#unsupported('a possessive repeat')
    this.#take('?')
    if (flags.verbose) this.#skipSpace()
    if (this.#count() !== null) throw this.#error('multiple repeat')
    return { kind: 'repeat', of, ...count }
  }

  /** `*`, `+`, `?`, `{m}`, `{m,}`, `{,n}` or `{m,n}`; other braces are characters. */
  #count(): { readonly least: number; readonly most: number } | null {
    if (this.#take('*')) return { least: 0, most: Infinity }
    if (this.#take('+')) return { least: 1, most: Infinity }
    if (this.#take('?')) return { least: 0, most: 1 }
    if (this.source[this.#at] !== '{') return null
    const found = /^\{(\d*)(,?)(\d*)\}/.exec(this.source.slice(this.#at, this.#at + 24).join(''))
    if (!found || (found[1] === '' && found[2] === '')) return null
    const least = Number(found[1])
    const most = found[2] === '' ? least : found[3] === '' ? Infinity : Number(found[3])
    if (least > most) throw this.#error('min repeat greater than max repeat')
    this.#at += found[0].length
    return { least, most }
  }

  /** Null for a comment. */
  #atom(flags: Flags): Pattern | null {
    const next = this.source[this.#at++]!
    switch (next) {
      case '(':
        return this.#group(flags)
      case '[':
        return { kind: 'character', test: this.#set(flags) }
      case '.':
        return { kind: 'character', test: flags.dotAll ? () => true : (c) => c !== '\n' }
      case '^':
        return position((text, at) => at === 0 || (flags.multiline && text[at - 1] === '\n'))
      case '$':
        return position(
          (text, at) =>
            at === text.length || (text[at] === '\n' && (flags.multiline || at === text.length - 1)),
        )
      case '\\':
        return this.#escape(flags)
      case '*':
      case '+':
      case '?':
        this.#at--
        throw this.#error('nothing to repeat')
      case '{':
        this.#at--
        if (this.#count() !== null) throw this.#error('nothing to repeat')
        this.#at++
        return literal(next, flags)
      default:
        return literal(next, flags)
    }
  }

  #group(flags: Flags): Pattern | null {
    const group = (inner: Flags): Pattern => ({ kind: 'sequence', parts: [this.#close(this.#either(inner))] })
    if (!this.#take('?')) return group(flags)
    const kind = this.source[this.#at++]
    switch (kind) {
      case ':':
        return group(flags)
      case '#':
        while (this.#at < this.source.length && this.source[this.#at] !== ')') this.#at++
        return this.#close(null)
      case '=':
      case '!':
        return this.#close({ kind: 'look', of: this.#either(flags), ahead: true, wanted: kind === '=' })
      case '<': {
        const wanted = this.source[this.#at++]
        if (wanted !== '=' && wanted !== '!') throw this.#error('unknown extension ?<')
        return this.#close({ kind: 'look', of: this.#either(flags), ahead: false, wanted: wanted === '=' })
      }
      case 'P':
        return this.#named(flags)
      case '>':
        throw this.#unsupported('an atomic group')
      case '(':
        throw this.#unsupported('a conditional group')
      default:
        this.#at--
        return this.#flagged(flags)
    }
  }

  #named(flags: Flags): Pattern {
    if (this.#take('=')) throw this.#unsupported('a back reference')
    const head = /^<([^>]*)>/.exec(this.source.slice(this.#at, this.#at + 200).join(''))
    const name = head?.[1] ?? ''
    if (!/^[\p{L}_][\p{L}\p{N}_]*$/u.test(name)) throw this.#error(`bad group name "${name}"`)
    if (this.#groups.has(name)) throw this.#error(`group "${name}" is defined twice`)
    this.#groups.add(name)
    this.#at += Array.from(head![0]).length
    return this.#close(this.#either(flags))
  }

  /** `(?i:…)`, `(?-s:…)` and their kin. */
  #flagged(flags: Flags): Pattern {
    const head = /^([aimsux]*)(?:-([imsx]+))?:/.exec(this.source.slice(this.#at, this.#at + 16).join(''))
    if (!head || head[0] === ':') throw this.#error('unknown extension, or flags not at the start')
    this.#at += head[0].length
    return this.#close(this.#either(withFlags(withFlags(flags, head[1]!, true), head[2] ?? '', false)))
  }

  #close<T>(group: T): T {
    if (!this.#take(')')) throw this.#error('missing ), unterminated group')
    return group
  }

  #escape(flags: Flags): Pattern {
    const next = this.source[this.#at]
    const word = characterClass('w', flags)!
    const edge: PositionTest = (text, at) =>
      (at > 0 && word(text[at - 1]!)) !== (at < text.length && word(text[at]!))
    switch (next) {
      case 'A':
        this.#at++
        return position((_, at) => at === 0)
      case 'Z':
      case 'z':
        this.#at++
        return position((text, at) => at === text.length)
      case 'b':
        this.#at++
        return position(edge)
      case 'B':
        this.#at++
        return position((text, at) => !edge(text, at))
      default:
        if (/^[1-9]$/.test(next ?? '')) throw this.#unsupported('a back reference')
        return this.#classOrLiteral(flags)
    }
  }

  #classOrLiteral(flags: Flags): Pattern {
    const test = characterClass(this.source[this.#at], flags)
    if (!test) return literal(this.#escaped(), flags)
    this.#at++
    return { kind: 'character', test }
  }

  /** The character that an escape stands for, behind its backslash. */
  #escaped(): string {
    const next = this.source[this.#at++]
    if (next === undefined) throw this.#error('bad escape (end of pattern)')
    const control = { a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' }[next]
    if (control !== undefined) return control
    const digits = { x: 2, u: 4, U: 8 }[next]
    if (digits !== undefined) {
      const code = this.source.slice(this.#at, this.#at + digits).join('')
      const value = new RegExp(`^[0-9a-fA-F]{${digits}}$`).test(code) ? parseInt(code, 16) : NaN
      if (!(value <= 0x10ffff)) throw this.#error(`incomplete escape \\${next}${code}`)
      this.#at += digits
      return String.fromCodePoint(value)
    }
    if (next === '0') {
      const octal = /^[0-7]{0,2}/.exec(this.source.slice(this.#at, this.#at + 2).join(''))![0]
      this.#at += octal.length
      return String.fromCodePoint(parseInt(`0${octal}`, 8))
    }
    if (/^[A-Za-z0-9]$/.test(next)) throw this.#error(`bad escape \\${next}`)
    return next
  }

  /** A set in brackets, behind the first one. */
  #set(flags: Flags): CharacterTest {
    const negated = this.#take('^')
    const tests: CharacterTest[] = []
    for (let first = true; ; first = false) {
      if (this.source[this.#at] === undefined) throw this.#error('unterminated character set')
      if (!first && this.#take(']')) break
      const low = this.#member(flags)
      const dash = this.source[this.#at] === '-' && this.source[this.#at + 1] !== ']'
      if (!dash || this.source[this.#at + 1] === undefined) {
        tests.push(typeof low === 'string' ? same(low, flags) : low)
        continue
      }
      this.#at++
      const high = this.#member(flags)
      if (typeof low !== 'string' || typeof high !== 'string') throw this.#error('bad character range')
      tests.push(range(low, high, flags, () => this.#error(`bad character range ${low}-${high}`)))
    }
    return (character) => tests.some((test) => test(character)) !== negated
  }

  #member(flags: Flags): string | CharacterTest {
    if (!this.#take('\\')) return this.source[this.#at++]!
    const test = characterClass(this.source[this.#at], flags)
    if (!test) return this.#escaped()
    this.#at++
    return test
  }

  #take(character: string): boolean {
    if (this.source[this.#at] !== character) return false
    this.#at++
    return true
  }

  #error(what: string): SyntaxError {
    return new SyntaxError(`${what} at position ${this.#at}`)
  }

  #unsupported(what: string): SyntaxError {
    return this.#error(`${what}, which needs a matcher that backtracks,`)
  }
}

const position = (test: PositionTest): Pattern => ({ kind: 'position', test })

const literal = (character: string, flags: Flags): Pattern => ({
  kind: 'character',
  test: same(character, flags),
})

const folded = (character: string) => character.toUpperCase().toLowerCase()

function same(wanted: string, { ignoreCase }: Flags): CharacterTest {
  if (!ignoreCase) return (character) => character === wanted
  return (character) => folded(character) === folded(wanted)
}

function range(low: string, high: string, { ignoreCase }: Flags, error: () => SyntaxError): CharacterTest {
  const [from, to] = [low.codePointAt(0)!, high.codePointAt(0)!]
  if (from > to) throw error()
  const within = (character: string) => {
    const code = character.codePointAt(0)!
    return from <= code && code <= to
  }
  if (!ignoreCase) return within
  return (c) => within(c) || within(c.toLowerCase()) || within(c.toUpperCase())
}

/** `\d`, `\w`, `\s` and what is none of them; of all of Unicode unless the pattern says `(?a)`. */
function characterClass(name: string | undefined, { ascii }: Flags): CharacterTest | null {
  const classes: Readonly<Record<string, RegExp>> = ascii
    ? { d: /^[0-9]$/, w: /^[A-Za-z0-9_]$/, s: /^[ \t\n\r\f\v]$/ }
    : { d: /^\p{Nd}$/u, w: /^[\p{L}\p{N}_]$/u, s: /^[\s\x1c-\x1f\x85]$/ }
  const test = name === undefined ? undefined : classes[name.toLowerCase()]
  if (!test) return null
  const wanted = name === name?.toLowerCase()
  return (character) => test.test(character) === wanted
}

function withFlags(flags: Flags, letters: string, on: boolean): Flags {
  const named = Array.from(letters, (letter) => flagNames[letter]).filter((name) => name != null)
  return { ...flags, ...Object.fromEntries(named.map((name) => [name, on])) }
}
