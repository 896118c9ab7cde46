import { characterKinds, unspaced } from './normalise.js'

/** FNV-1a over the code units of a text from `start` to `end`. */
function fnv(text: string, start: number, end: number): number {
  let hash = 0x811c9dc5
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash
}

/** MurmurHash3 over the code units, each as a block. */
function murmur(text: string, start: number, end: number): number {
  let hash = 0x2f0b4a87
  for (let i = start; i < end; i++) {
    let block = Math.imul(text.charCodeAt(i), 0xcc9e2d51)
    block = Math.imul((block << 15) | (block >>> 17), 0x1b873593)
    hash ^= block
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0
  }
  return hash ^ (end - start)
}

/** The finalizer of MurmurHash3: every bit of the result depends on every bit of the value. */
export function mix(value: number): number {
  let hash = value ^ (value >>> 16)
  hash = Math.imul(hash, 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/**
 * The units in which normalised texts are compared: words, and single characters of scripts without spaces. One object reads one text
 * after another into the same arrays.
 */
export class Units {
  count = 0
  /** Unit i is `text.slice(starts[i], ends[i])`. */
  starts = new Int32Array(1024)
  ends = new Int32Array(1024)
  /** Two hashes of 32 bits for each unit. */
  hashes = new Int32Array(1024)
  others = new Int32Array(1024)
  /** 1 for a character of a script without spaces. */
  single = new Uint8Array(1024)

  /** Reads a normalised text. */
  read(text: string): void {
    this.count = 0
    this.append(text)
  }

  /** Reads another text behind what was read. Places are those in this text. */
  append(text: string): void {
    const kinds = characterKinds()
    let start = 0
    for (let i = 0; i <= text.length; i++) {
      const code = i < text.length ? text.charCodeAt(i) : 0x20
      const alone = kinds[code] === unspaced
      if (code !== 0x20 && !alone) continue
      if (i > start) this.#add(text, start, i, 0)
      start = i + 1
      if (!alone) continue
      if (code >= 0xd800 && code <= 0xdbff) start++
      this.#add(text, i, start, 1)
      i = start - 1
    }
  }

  #add(text: string, start: number, end: number, single: 0 | 1): void {
    if (this.count === this.starts.length) this.#grow()
    const i = this.count++
    this.starts[i] = start
    this.ends[i] = end
    this.hashes[i] = fnv(text, start, end)
    this.others[i] = murmur(text, start, end)
    this.single[i] = single
  }

  #grow(): void {
    const larger = (array: Int32Array) => {
      const copy = new Int32Array(2 * array.length)
      copy.set(array)
      return copy
    }
    const single = new Uint8Array(2 * this.single.length)
    single.set(this.single)
    this.single = single
    this.starts = larger(this.starts)
    this.ends = larger(this.ends)
    this.hashes = larger(this.hashes)
    this.others = larger(this.others)
  }
}
