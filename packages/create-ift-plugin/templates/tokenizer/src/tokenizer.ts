import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Encoding, Tokenizer } from '@ift/core'

/** Name of the file that makes the tokenizer. */
export const fileName = '__name__.json'

/** What stands in the file. */
export interface __Name__Settings {
  /** Texts of the special tokens; the first begins a text, the second ends it. */
  readonly specials: readonly [bos: string, eos: string, ...others: string[]]
}

/** Ids of special tokens, then one for each byte: no text is outside of the vocabulary. */
export function createTokenizer(settings: __Name__Settings): Tokenizer {
  const { specials: texts } = settings
  const specials = new Map(texts.map((text, id) => [text, id]))
  const firstByte = texts.length
  const vocabSize = firstByte + 256
  const isSpecial = (id: number) => id >= 0 && id < firstByte
  const utf8 = new TextEncoder()

  const bytesOf = (id: number): Uint8Array =>
    isSpecial(id)
      ? utf8.encode(texts[id])
      : id >= firstByte && id < vocabSize
        ? Uint8Array.of(id - firstByte)
        : new Uint8Array()

  /** Ids of a text; with `withSpecials` the special tokens in it are found, the longest of those that begin at a place. */
  const encode = (text: string, withSpecials: boolean): Encoding => {
    const ids: number[] = []
    const offsets: number[] = []
    const known = texts.toSorted((a, b) => b.length - a.length)
    for (let at = 0; at < text.length;) {
      const special = withSpecials ? known.find((one) => text.startsWith(one, at)) : undefined
      if (special !== undefined) {
        ids.push(specials.get(special)!)
        offsets.push(at, at + special.length)
        at += special.length
        continue
      }
      // The bytes of a character have the range of it all.
      const character = String.fromCodePoint(text.codePointAt(at)!)
      for (const byte of utf8.encode(character)) {
        ids.push(firstByte + byte)
        offsets.push(at, at + character.length)
      }
      at += character.length
    }
    return { ids: Int32Array.from(ids), offsets: Int32Array.from(offsets) }
  }

  const decode = (ids: ArrayLike<number>, withSpecials: boolean) =>
    Buffer.concat(
      Array.from(ids)
        .filter((id) => withSpecials || !isSpecial(id))
        .map(bytesOf),
    ).toString('utf8')

  return {
    vocabSize,
    bosId: 0,
    eosId: 1,
    specials,
    addBos: true,
    addEos: false,
    chatTemplate: null,
    fingerprint: createHash('sha256').update(JSON.stringify(settings)).digest('hex'),
    encode: (text, { specials: found = false } = {}) => Promise.resolve(encode(text, found)),
    encodeBatch: (batch, { specials: found = false } = {}) =>
      Promise.resolve(batch.map((text) => encode(text, found))),
    decode: (ids, { specials: shown = false } = {}) => Promise.resolve(decode(ids, shown)),
    decodeStream({ specials: shown = false } = {}) {
      const decoder = new TextDecoder()
      return {
        push: (id) =>
          Promise.resolve(isSpecial(id) && !shown ? '' : decoder.decode(bytesOf(id), { stream: true })),
        end: () => Promise.resolve(decoder.decode()),
      }
    },
    token: (id) => (id >= 0 && id < vocabSize ? decode([id], true) : undefined),
    bytes: (id) => (isSpecial(id) ? null : bytesOf(id)),
    async save(dir) {
      await writeFile(join(dir, fileName), `${JSON.stringify(settings, null, 2)}\n`)
      return [fileName]
    },
  }
}
