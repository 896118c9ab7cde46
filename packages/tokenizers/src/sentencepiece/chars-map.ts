import { corrupt } from '../errors.js'

/** Bits of a unit of a Darts double array (Yata et al. 2007). */
const hasLeaf = 0x100
const isLeaf = 0x80000000

/**
 * SentencePiece's precompiled normalisation map: a trie of UTF-8 texts as a Darts-clone double array, and behind it what
 * they stand for, each ended by a zero byte. At every place the longest text counts, as in sentencepiece's
 * `Normalizer::NormalizePrefix`; the step "Precompiled" of the tokenizers library takes the shortest one of a cluster of
 * fewer than six bytes and single characters of the others.
 */
export class CharsMap {
  readonly #units: Uint32Array
  readonly #values: Uint8Array
  readonly #texts = new Map<number, string>()
  /** By UTF-16 code unit: 0 not known yet, 1 begins no text of the map, 2 may begin one. */
  readonly #begins = new Uint8Array(0x10000)
  readonly #file: string
  readonly #field: string

  /** Throws IFT_FILE_CORRUPT when the bytes are no such map. */
  constructor(bytes: Uint8Array, file: string, field = 'precompiled_charsmap') {
    this.#file = file
    this.#field = field
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const size = bytes.length < 4 ? 0 : view.getUint32(0, true)
    if (size === 0 || size % 4 !== 0 || size > bytes.length - 4)
      throw this.#damaged(`a trie of ${size} bytes in ${bytes.length}.`)
    this.#units = Uint32Array.from({ length: size / 4 }, (_, i) => view.getUint32(4 + 4 * i, true))
    this.#values = bytes.subarray(4 + size)
  }

  /**
   * Goes to every unit that a text can lead to. Throws IFT_FILE_CORRUPT when one leads out of the trie, or to a value that is not
   * there or is no text, so that no text can do so later.
   */
  check(): void {
    const units = this.#units
    // Units by the position from which their byte leads to them.
    const first = new Int32Array(units.length).fill(-1)
    const next = new Int32Array(units.length)
    for (const [at, unit] of units.entries()) {
      const byte = unit & (isLeaf | 0xff)
      // A byte of zero ends a text.
      if (byte <= 0 || byte > 0xff) continue
      const from = at ^ byte
      if (from >= units.length) continue
      next[at] = first[from]!
      first[from] = at
    }
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(this.#values)
    } catch {
      throw this.#damaged('its values are not UTF-8.')
    }
    const seen = new Uint8Array(units.length)
    const open: number[] = []
    const reach = (position: number) => {
      // Any byte may follow.
      if ((position | 0xff) >= units.length)
        throw this.#damaged(`the trie leads to unit ${position | 0xff} of ${units.length}.`)
      if (seen[position]) return
      seen[position] = 1
      open.push(position)
    }
    reach(offsetOf(units[0]!))
    for (let from = open.pop(); from !== undefined; from = open.pop())
      for (let at = first[from]!; at >= 0; at = next[at]!) {
        const position = at ^ offsetOf(units[at]!)
        reach(position)
        if (units[at]! & hasLeaf) this.#checkValue(units[position]! & ~isLeaf)
      }
  }

  #checkValue(offset: number): void {
    const values = this.#values
    // In the middle of a character is the middle of a text.
    if (offset >= values.length || (values[offset]! & 0xc0) === 0x80 || values.indexOf(0, offset) < 0)
      throw this.#damaged(`a value at byte ${offset} of ${values.length}.`)
  }

  /** The longest text of the map at `at`, before `end`: where it ends and what it stands for. */
  longest(text: string, at: number, end: number): { readonly end: number; readonly value: string } | null {
    const first = text.charCodeAt(at)
    if (this.#begins[first] === 1) return null
    let position = offsetOf(this.#units[0]!)
    let found = -1
    let foundEnd = at
    for (let next = at; next < end;) {
      const point = text.codePointAt(next)!
      position = this.#walk(position, point)
      if (next === at && point <= 0xffff) this.#begins[first] = position < 0 ? 1 : 2
      if (position < 0) break
      next += point > 0xffff ? 2 : 1
      const unit = this.#units[this.#last]!
      if (unit & hasLeaf) {
        found = this.#units[position]! & ~isLeaf
        foundEnd = next
      }
    }
    return found < 0 ? null : { end: foundEnd, value: this.#valueAt(found) }
  }

  /** The unit that the last walk ended on. */
  #last = 0

  /** Goes on by the UTF-8 bytes of a code point; -1 where the trie has none such. */
  #walk(from: number, point: number): number {
    // A lone surrogate is U+FFFD where text is bytes.
    const code = point >= 0xd800 && point <= 0xdfff ? 0xfffd : point
    if (code < 0x80) return this.#step(from, code)
    const lead = code < 0x800 ? 0xc0 : code < 0x10000 ? 0xe0 : 0xf0
    let shift = code < 0x800 ? 6 : code < 0x10000 ? 12 : 18
    let position = this.#step(from, lead | (code >> shift))
    while (shift > 0 && position >= 0) {
      shift -= 6
      position = this.#step(position, 0x80 | ((code >> shift) & 0x3f))
    }
    return position
  }

  #step(from: number, byte: number): number {
    const at = from ^ byte
    const unit = this.#units[at]
    if (unit === undefined) throw this.#damaged(`the trie leads to unit ${at} of ${this.#units.length}.`)
    if ((unit & (isLeaf | 0xff)) !== byte) return -1
    this.#last = at
    const position = at ^ offsetOf(unit)
    if (position >= this.#units.length)
      throw this.#damaged(`the trie leads to unit ${position} of ${this.#units.length}.`)
    return position
  }

  #valueAt(offset: number): string {
    const known = this.#texts.get(offset)
    if (known !== undefined) return known
    const end = this.#values.indexOf(0, offset)
    if (offset >= this.#values.length || end < 0)
      throw this.#damaged(`a value at byte ${offset} of ${this.#values.length}.`)
    const text = Buffer.from(this.#values.subarray(offset, end)).toString('utf8')
    this.#texts.set(offset, text)
    return text
  }

  #damaged(problem: string) {
    return corrupt(this.#file, this.#field, `not a normalisation map of SentencePiece: ${problem}`)
  }
}

const offsetOf = (unit: number): number => (unit >>> 10) << ((unit & 0x200) >>> 6)
