import { randomUUID } from 'node:crypto'
import type { Encoding } from '@ift/core'
import type { NativeTokenizer } from './addon.js'
import { openBinding } from './binding.js'
import { Normalization } from './normalization.js'
import { checkLengths, PatternBounds } from './patterns/bounds.js'
import { TiedMerges } from './tied-merges.js'
import { isUnigram, type AddedTokenJson, type TokenizerJson } from './tokenizer-json.js'

/** Texts that one native call gets at most: its results are held until the last one is there. */
const batchSize = 1024

/**
 * Text to ids by the tokenizers library, with two things that the library cannot do: a normalisation map that matches the
 * longest text, and merges of equal rank. With `specials` off, text that looks like a special token is only text.
 */
export class Encoder {
  readonly #binding: NativeTokenizer
  readonly #normalization: Normalization | null
  readonly #merges: TiedMerges | null
  readonly #patterns: PatternBounds
  /** Ids that no merge goes across. */
  readonly #added: ReadonlySet<number>

  constructor(json: TokenizerJson, file: string, specials: boolean) {
    const nonce = randomUUID()
    const unspeakable = ({ id }: AddedTokenJson) => `\u{10fffe}${nonce}:${id}\u{10fffe}`
    this.#normalization = Normalization.of(json, file, (token) => {
      if (token.special) return specials ? unspeakable(token) : null
      return token.normalized ? null : token.content
    })
    // Text that the map turns into the name of a special token is no special token.
    const renames = !specials || this.#normalization !== null
    const names = new Map(
      json.added_tokens
        .filter(({ special }) => special && renames)
        .map((token) => [token.content, unspeakable(token)]),
    )
    const { model } = json
    const ties = isUnigram(model) ? undefined : model['ties']
    this.#merges = isUnigram(model) || ties === undefined ? null : new TiedMerges(model, ties, file)
    this.#added = new Set(json.added_tokens.map(({ id }) => id))
    const rest: TokenizerJson = {
      ...json,
      normalizer: this.#normalization ? this.#normalization.rest : json.normalizer,
      model: this.#merges ? { ...model, merges: [] } : model,
    }
    checkLengths(rest, file)
    this.#binding = openBinding(rest, file, names, this.#merges !== null)
    this.#patterns = new PatternBounds(rest, file)
  }

  /** A binding that decodes as the tokenizer's own decoder does, or null when names in this one are not the tokenizer's. */
  get decodes(): NativeTokenizer | null {
    return this.#normalization ? null : this.#binding
  }

  async encode(texts: readonly string[]): Promise<Encoding[]> {
    const encodings: Encoding[] = []
    for (let at = 0; at < texts.length; at += batchSize) {
      const part = texts.slice(at, at + batchSize)
      const rewritten = this.#normalization && part.map((text) => this.#normalization!.apply(text))
      const given = rewritten ? rewritten.map(({ text }) => text) : part
      for (const text of given) this.#patterns.check(text)
      const found = await this.#binding.encodeBatch(given)
      let [tokens, from] = [0, 0]
      for (let i = 0; i < given.length; i++) tokens += found[i]!
      const ids = found.subarray(given.length)
      const places = ids.subarray(tokens)
      const words = places.subarray(2 * tokens)
      for (let i = 0; i < given.length; i++) {
        const to = from + found[i]!
        const encoding = { ids: ids.subarray(from, to), offsets: places.subarray(2 * from, 2 * to) }
        const merged = this.#merges ? this.#merged(encoding, words.subarray(from, to)) : encoding
        encodings.push(
          rewritten ? { ids: merged.ids, offsets: rewritten[i]!.original(merged.offsets) } : merged,
        )
        from = to
      }
    }
    return encodings
  }

  #merged(encoding: Encoding, words: Int32Array): Encoding {
    const { ids } = encoding
    const apart = (at: number) =>
      words[at] !== words[at - 1] || this.#added.has(ids[at]!) || this.#added.has(ids[at - 1]!)
    return this.#merges!.merge(encoding, apart)
  }
}
