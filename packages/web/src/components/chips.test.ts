import { describe, expect, it } from 'vitest'
import type { AnswerToken } from '../api/completions.js'
import {
  answerFrom,
  chipsOf,
  nats,
  percent,
  placesOf,
  rankOf,
  shownToken,
  textOfBytes,
  tintOf,
} from './chips.js'

const bytesOf = (text: string) => [...new TextEncoder().encode(text)]
const token = (bytes: readonly number[] | null, logprob = -1, top: AnswerToken['top'] = []): AnswerToken => ({
  text: bytes === null ? '\ufffd' : new TextDecoder().decode(Uint8Array.from(bytes)),
  bytes,
  logprob,
  top,
})
const words = (...texts: string[]) => texts.map((text) => token(bytesOf(text)))

describe('chips of tokens', () => {
  it('are one for each token that is whole', () => {
    expect(chipsOf(words('The', ' cat', '\n', '猫')).map(({ text }) => text)).toEqual([
      'The',
      ' cat',
      '\n',
      '猫',
    ])
  })

  it('join the parts of characters, with the product of their probabilities', () => {
    const [first, second] = [bytesOf('你好🐑').slice(0, 2), bytesOf('你好🐑').slice(2, 4)]
    const chips = chipsOf([
      ...words('a'),
      token(first, -0.5),
      token(second, -0.25),
      token(bytesOf('你好🐑').slice(4), -0.25),
      ...words('b'),
    ])
    expect(chips.map(({ text }) => text)).toEqual(['a', '你好🐑', 'b'])
    expect(chips[1]!.tokens).toHaveLength(3)
    expect(chips[1]!.probability).toBeCloseTo(Math.exp(-1), 12)
  })

  it('hold every byte of every cut of a text', () => {
    const all = bytesOf('é你🐑e\u0301')
    for (let cut = 1; cut < all.length; cut++)
      for (let other = cut + 1; other < all.length; other++) {
        const chips = chipsOf(
          [all.slice(0, cut), all.slice(cut, other), all.slice(other)].map((bytes) => token(bytes)),
        )
        expect(chips.map(({ text }) => text).join('')).toBe('é你🐑e\u0301')
      }
  })

  it('show bytes that are no text as U+FFFD, and what ends inside of a character too', () => {
    expect(chipsOf([token([0xff]), ...words('a')]).map(({ text }) => text)).toEqual(['\ufffd', 'a'])
    expect(chipsOf([...words('a'), token([0xe4, 0xbd])]).map(({ text }) => text)).toEqual(['a', '\ufffd'])
  })

  it('take the text of the answer where bytes are not known', () => {
    const tokens = [...words('我'), token(null), token(null), ...words('们', '。')]
    expect(chipsOf(tokens, '我爱你们。').map(({ text }) => text)).toEqual(['我', '爱你', '们', '。'])
    expect(chipsOf([...words(' 我'), token(null), ...words('.')], '我爱.').map(({ text }) => text)).toEqual([
      ' 我',
      '爱',
      '.',
    ])
    expect(chipsOf([...words('a'), token(null), token(null)], 'a🐑').map(({ text }) => text)).toEqual([
      'a',
      '🐑',
    ])
  })

  it('keep a byte order mark', () => {
    expect(textOfBytes([0xef, 0xbb, 0xbf, 0x61])).toBe('\ufeffa')
    expect(textOfBytes([0xe4, 0xbd])).toBe(null)
  })
})

describe('what stands in the place of a token', () => {
  const top = [' errors', ' bugs', ' error'].map((text, i) => ({
    text,
    bytes: bytesOf(text),
    logprob: -1 - i,
  }))
  it('is the likeliest, with the one that was taken', () => {
    expect(rankOf(token(bytesOf(' bugs'), -2, top))).toBe(2)
    expect(placesOf(token(bytesOf(' bugs'), -2, top))).toHaveLength(3)
  })

  it('has the one that was taken as a further row where it is none of them', () => {
    const places = placesOf(token(bytesOf(' wombats'), -9, top))
    expect(places.map(({ rank }) => rank)).toEqual([1, 2, 3, null])
    expect(rankOf(token(bytesOf(' wombats'), -9, top))).toBe(null)
  })

  it('is gone on from by its text', () => {
    const tokens = [...words('increased'), token(bytesOf(' bugs'), -2, top), ...words(' and')]
    const begun = answerFrom(tokens, 1, top[0]!)!
    expect(begun.text).toBe('increased errors')
    expect(begun.tokens.map(({ logprob }) => logprob)).toEqual([-1, -1])
    expect(begun.tokens[1]!.top).toBe(top)
  })

  it('is not gone on from inside of a character', () => {
    const part = { text: '\ufffd', bytes: [0xe4, 0xbd], logprob: -3 }
    expect(answerFrom(words('a', 'b'), 1, part)).toBe(null)
    const rest = { text: '\ufffd', bytes: [0xa0], logprob: -3 }
    expect(answerFrom([token([0xe4, 0xbd]), ...words('b')], 1, rest)?.text).toBe('你')
  })
})

describe('numbers of tokens', () => {
  it('have tints', () => {
    expect([1, 0.9, 0.89, 0.6, 0.3, 0.1, 0.05].map(tintOf)).toEqual([0, 0, 1, 1, 2, 3, 4])
  })
  it('are read as percents and nats', () => {
    expect([percent(0.082), percent(0.0001), percent(0)]).toEqual(['8.2 %', '< 0.1 %', '0.0 %'])
    expect(nats(-2.5)).toBe('−2.50')
  })
  it('have names in lists', () => {
    expect(shownToken({ text: '  bugs', bytes: null, logprob: 0 })).toBe('··bugs')
    expect(shownToken({ text: '\n', bytes: [10], logprob: 0 })).toBe('↵')
    expect(shownToken({ text: '\ufffd', bytes: [0xe4, 0xbd], logprob: 0 })).toBe('E4 BD')
  })
})
