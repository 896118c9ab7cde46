import { describe, expect, it } from 'vitest'
import { chunkOf } from './head.js'

describe('rows of logits that exist at a time', () => {
  it.each([
    ['all of them, where they fit', 100, 1000, 100],
    ['even shares of what fits', 512, 49152, 256],
    ['shares in steps of 16 rows', 2048, 49152, 304],
    ['64 rows, however large the vocabulary', 200, 1_000_000, 64],
    ['no more than there are', 40, 1_000_000, 40],
  ])('%s', (_, rows, vocab, expected) => {
    expect(chunkOf('test', undefined, vocab, rows)).toBe(expected)
  })

  it('takes what is asked for, and refuses what counts no rows', () => {
    expect(chunkOf('test', 7, 49152, 512)).toBe(7)
    for (const wrong of [0, 1.5, -1, Number.NaN]) {
      expect(() => chunkOf('test', wrong, 49152, 512)).toThrow(
        expect.objectContaining({ code: 'IFT_ARGUMENT' }),
      )
    }
  })
})
