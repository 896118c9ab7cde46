// @ts-check
// Byte-level byte-pair encoding (Sennrich et al. 2016 over bytes, as in GPT-2): training only. Encoding is done by
// any reader of `tokenizer.json`.

/** GPT-2's split of running text. */
const WORDS = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu

/**
 * Borders that merges never cross: single digits first, then GPT-2's split. @param {string} text @returns {string[]}
 * concatenated, the text
 */
export const pretokens = (text) =>
  text.split(/(\p{N})/u).flatMap((piece) => (/^\p{N}$/u.test(piece) ? [piece] : (piece.match(WORDS) ?? [])))

/** GPT-2's printable stand-ins: byte -> character. */
export const BYTE_CHARACTERS = (() => {
  const printable = (/** @type {number} */ byte) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff)
  let unused = 256
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : unused++))
})()

const BYTE_OF = new Map(BYTE_CHARACTERS.map((character, byte) => [character, byte]))

/** @param {string} text @returns {string} its UTF-8 bytes in stand-ins */
export const toByteCharacters = (text) =>
  Array.from(new TextEncoder().encode(text), (byte) => BYTE_CHARACTERS[byte]).join('')

/** @param {string} characters stand-ins @returns {string} the text, with U+FFFD for incomplete characters */
export const fromByteCharacters = (characters) =>
  new TextDecoder().decode(Uint8Array.from(characters, (character) => BYTE_OF.get(character) ?? 0))

/**
 * @param {readonly string[]} pieces @param {string} left @param {string} right
 * @returns {string[]} with every left-right pair joined, from the left
 */
const mergePair = (pieces, left, right) => {
  /** @type {string[]} */
  const merged = []
  for (let i = 0; i < pieces.length; i++) {
    const piece = pieces[i] ?? ''
    if (piece === left && pieces[i + 1] === right) {
      merged.push(left + right)
      i++
    } else merged.push(piece)
  }
  return merged
}

/** @typedef {{ pieces: string[], count: number }} Word */

/** @param {string} left @param {string} right a pair's key; stand-ins are never a space */
const pairKey = (left, right) => `${left} ${right}`

/**
 * Learns merges. The most frequent pair wins; of equal ones the first in code-unit order, so the result does not
 * depend on the order of the words.
 *
 * @param {ReadonlyMap<string, number>} words pretoken -> how often it occurs
 * @param {{ merges: number, maxBytes: number }} limits maxBytes: no token is longer
 * @returns {(readonly [string, string])[]} pairs of stand-in strings, first learned first; fewer when nothing is left
 */
export const learnMerges = (words, { merges, maxBytes }) => {
  /** @type {Word[]} */
  const corpus = [...words].map(([word, count]) => ({ pieces: [...toByteCharacters(word)], count }))
  /** @type {Map<string, number>} */
  const counts = new Map()
  /** @type {Map<string, Set<Word>>} */
  const places = new Map()
  const tally = (/** @type {Word} */ word, /** @type {1 | -1} */ sign) => {
    for (let i = 1; i < word.pieces.length; i++) {
      const key = pairKey(word.pieces[i - 1] ?? '', word.pieces[i] ?? '')
      counts.set(key, (counts.get(key) ?? 0) + sign * word.count)
      if (sign === 1) {
        const at = places.get(key)
        if (at) at.add(word)
        else places.set(key, new Set([word]))
      }
    }
  }
  for (const word of corpus) tally(word, 1)

  /** @type {(readonly [string, string])[]} */
  const learned = []
  while (learned.length < merges) {
    let best = ''
    let most = 0
    for (const [key, count] of counts) {
      if (count < most || count === 0 || key.length - 1 > maxBytes) continue
      if (count > most || key < best) [best, most] = [key, count]
    }
    if (most === 0) break
    const [left, right] = /** @type {[string, string]} */ (best.split(' '))
    learned.push([left, right])
    for (const word of places.get(best) ?? []) {
      tally(word, -1)
      word.pieces = mergePair(word.pieces, left, right)
      tally(word, 1)
    }
    counts.delete(best)
    places.delete(best)
  }
  return learned
}
