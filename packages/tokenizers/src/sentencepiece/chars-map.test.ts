import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { CharsMap } from './chars-map.js'
import { parseSentencePiece } from './model.js'

const model = fileURLToPath(
  new URL('../../../../fixtures/cases/tok-02-characters-in-parts/model/tokenizer.model', import.meta.url),
)
const bytes = async () => parseSentencePiece(await readFile(model), model).charsMap

/** A text with the longest match put in at every place. */
function normalized(map: CharsMap, text: string): string {
  let out = ''
  for (let at = 0; at < text.length;) {
    const found = map.longest(text, at, text.length)
    out += found?.value ?? text[at]!
    at = found?.end ?? at + 1
  }
  return out
}

test.each([
  ['か\u3099', 'が'],
  ['e\u0323\u0302', 'ệ'],
  // Only the canonical order is in the map: nmt_nfkc is no NFKC.
  ['e\u0302\u0323', 'ê\u0323'],
  ['\u1100\u1161\u11a8', '각'],
  ['ﻻ\u064e', 'لا\u064e'],
  ['ﷲ', 'الله'],
  ['①\u0301ﬁ', '1\u0301fi'],
  // A lone surrogate is U+FFFD, which this map makes a blank.
  ['\ud800か\u3099\udc00', ' が '],
  ['𝒜𝓁', 'Al'],
])('%j becomes %j', async (text, expected) => {
  expect(normalized(new CharsMap(await bytes(), model), text)).toBe(expected)
})

test('nothing behind the end that is given is read', async () => {
  expect(new CharsMap(await bytes(), model).longest('か\u3099', 0, 1)).toBeNull()
})

describe('a damaged map is an error that names the file', () => {
  const damaged = {
    empty: () => Buffer.alloc(0),
    'a length alone': () => Buffer.from([4, 0, 0, 0]),
    'a length that is no number of units': (map: Buffer) => Buffer.concat([Buffer.from([3, 0, 0, 0]), map]),
    'a length beyond the end': (map: Buffer) =>
      Buffer.concat([Buffer.from([255, 255, 255, 127]), map.subarray(4)]),
    'units that lead outside': () => {
      const map = Buffer.alloc(4 + 4 + 1)
      map.writeUInt32LE(4)
      map.writeUInt32LE(0x3ff << 10, 4)
      return map
    },
    'values cut off': (map: Buffer) => map.subarray(0, 4 + map.readUInt32LE(0)),
  }
  test.each(Object.entries(damaged))('%s', async (_, damage) => {
    const whole = Buffer.from(await bytes())
    expect(() => normalized(new CharsMap(damage(whole), 'x.model'), 'か\u3099')).toThrow(
      expect.objectContaining({
        code: 'IFT_FILE_CORRUPT',
        message: expect.stringContaining('x.model: precompiled_charsmap') as string,
      }),
    )
  })
})
