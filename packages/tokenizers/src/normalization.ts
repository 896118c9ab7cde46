import { unsupported } from './errors.js'
import { charsMapBytes } from './library-faults.js'
import { rewrite, type Edit, type Rewritten } from './rewritten.js'
import { CharsMap } from './sentencepiece/chars-map.js'
import type { AddedTokenJson, ComponentJson, TokenizerJson } from './tokenizer-json.js'

/** Text that stays what it is, or is spelled in another way, whatever the map says of its characters. */
export interface Spelling {
  readonly text: string
  readonly as: string
  /** Only where no letter or digit touches it. */
  readonly singleWord: boolean
}

const wordCharacter = /[\p{L}\p{M}\p{Nd}\p{Pc}]/u

const escaped = (text: string) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')

const isLongestMatch = ({ type, match }: ComponentJson) => type === 'Precompiled' && match === 'longest'

const stepsOf = (normalizer: ComponentJson | null): readonly ComponentJson[] =>
  normalizer === null
    ? []
    : normalizer.type === 'Sequence' && Array.isArray(normalizer['normalizers'])
      ? (normalizer['normalizers'] as ComponentJson[])
      : [normalizer]

/**
 * The steps of a normaliser up to a map that is to match the longest text ("match": "longest" beside "Precompiled"), which
 * the tokenizers library cannot do: they happen here, before the library is given the text, and `rest` is left to it.
 */
export class Normalization {
  /** The part that the library does. */
  readonly rest: ComponentJson | null
  readonly #map: CharsMap
  readonly #spelled: ReadonlyMap<string, Spelling>
  readonly #pattern: RegExp | null

  private constructor(
    steps: readonly ComponentJson[],
    at: number,
    spellings: readonly Spelling[],
    file: string,
  ) {
    this.#map = new CharsMap(charsMapBytes(steps[at]!, 'normalizer', file), file)
    this.#map.check()
    const rest = steps.slice(at + 1)
    this.rest = rest.length > 1 ? { type: 'Sequence', normalizers: rest } : (rest[0] ?? null)
    const before = steps.slice(0, at).map(({ type, pattern, content }): Spelling => {
      const text = (pattern as { String?: unknown } | undefined)?.String
      if (type !== 'Replace' || typeof text !== 'string' || text === '' || typeof content !== 'string')
        throw unsupported(file, 'normalizer', `${type} before a "Precompiled" of the longest match.`)
      return { text, as: content, singleWord: false }
    })
    const all = [...[...spellings].sort((a, b) => b.text.length - a.text.length), ...before]
    this.#spelled = new Map(all.toReversed().map((spelling) => [spelling.text, spelling]))
    this.#pattern = all.length === 0 ? null : new RegExp(all.map(({ text }) => escaped(text)).join('|'), 'g')
  }

  /**
   * Null when the library can do all of the normaliser. `added` are the tokens that it finds in a text before it normalises;
   * their texts are kept, `nameOf` gives the name that the library knows one by.
   */
  static of(
    { normalizer, added_tokens }: Pick<TokenizerJson, 'normalizer' | 'added_tokens'>,
    file: string,
    nameOf: (token: AddedTokenJson) => string | null,
  ): Normalization | null {
    const steps = stepsOf(normalizer)
    const at = steps.findIndex(isLongestMatch)
    if (at < 0) return null
    const spellings = added_tokens.flatMap((token): Spelling[] => {
      const as = nameOf(token)
      return as === null ? [] : [{ text: token.content, as, singleWord: token.single_word }]
    })
    return new Normalization(steps, at, spellings, file)
  }

  apply(text: string): Rewritten {
    const edits: Edit[] = []
    let from = 0
    if (this.#pattern)
      for (const { index, 0: found } of text.matchAll(this.#pattern)) {
        const end = index + found.length
        const { as, singleWord } = this.#spelled.get(found)!
        if (
          singleWord &&
          (wordCharacter.test(lastOf(text.slice(0, index))) || wordCharacter.test(firstOf(text, end)))
        )
          continue
        this.#mapped(text, from, index, edits)
        if (as !== found) edits.push({ at: index, end, value: as })
        from = end
      }
    this.#mapped(text, from, text.length, edits)
    return rewrite(text, edits)
  }

  #mapped(text: string, from: number, to: number, edits: Edit[]): void {
    for (let at = from; at < to;) {
      const found = this.#map.longest(text, at, to)
      if (found) edits.push({ at, end: found.end, value: found.value })
      at = found?.end ?? at + (text.codePointAt(at)! > 0xffff ? 2 : 1)
    }
  }
}

const firstOf = (text: string, at: number) =>
  at < text.length ? String.fromCodePoint(text.codePointAt(at)!) : ''
const lastOf = (text: string) => /[\ud800-\udbff][\udc00-\udfff]$|.$/s.exec(text)?.[0] ?? ''
