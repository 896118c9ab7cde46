import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Tokenizer } from 'tokenizers'
import { describe, expect, it } from 'vitest'
import { fromByteCharacters, learnMerges, pretokens, toByteCharacters } from './bpe.mjs'
import { countTrainingText, tokenizerFrom } from './train-tokenizer.mjs'

const model = new URL('../../examples/quickstart/model/tokenizer.json', import.meta.url)
const rowsFile = new URL('../../examples/quickstart/data/bilingual.jsonl', import.meta.url)

describe('pretokens', () => {
  it.each([
    ["Let's buy 12 pears.", ['Let', "'s", ' buy', ' ', '1', '2', ' pears', '.']],
    ['有12个 篮子。', ['有', '1', '2', '个', ' 篮子', '。']],
    ['a\n\n### B', ['a', '\n', '\n', '###', ' B']],
  ])('%j -> %j', (text, expected) => expect(pretokens(text)).toEqual(expected))

  it('splits as the Rust library does', async () => {
    const tokenizer = Tokenizer.fromFile(fileURLToPath(model))
    const text = "It's  one\n 2nd list: 苹果12个，x_1 = 3.5 ½ ٣ éa\t\n\n### Ok 's"
    const { default: tokenizers } = await import('tokenizers')
    const splitter = tokenizers.sequencePreTokenizer([
      tokenizers.digitsPreTokenizer(true),
      tokenizers.byteLevelPreTokenizer(false, true),
    ])
    const expected = splitter.preTokenizeString(text).map(([piece]) => piece)
    expect(pretokens(text).map(toByteCharacters)).toEqual(expected)
    expect(tokenizer.getVocabSize()).toBe(2048)
  })
})

describe('byte characters', () => {
  it('give every text back', () => {
    for (const text of ['a b\n', '步×', '😀', '\u0000\u007f\u00ad']) {
      expect(fromByteCharacters(toByteCharacters(text))).toBe(text)
    }
  })
})

describe('learnMerges', () => {
  it('takes the most frequent pair first, ties in code-unit order', () => {
    const words = new Map([
      ['abab', 2],
      ['abc', 1],
      ['xy', 5],
      ['xz', 5],
    ])
    expect(learnMerges(words, { merges: 4, maxBytes: 24 })).toEqual([
      ['a', 'b'],
      ['x', 'y'],
      ['x', 'z'],
      ['ab', 'ab'],
    ])
  })

  it('joins pairs from the left', () => {
    expect(learnMerges(new Map([['aaa', 1]]), { merges: 2, maxBytes: 24 })).toEqual([
      ['a', 'a'],
      ['aa', 'a'],
    ])
  })

  it('makes no token above the limit of bytes and stops when nothing is left', () => {
    const merges = learnMerges(new Map([['abcdefgh', 3]]), { merges: 100, maxBytes: 4 })
    expect(merges.map(([left, right]) => left + right).every((token) => token.length <= 4)).toBe(true)
    expect(merges.length).toBeLessThan(8)
  })

  it('does not depend on the order of the words', () => {
    const words: [string, number][] = [
      ['pears', 4],
      ['pens', 3],
      ['stones', 3],
      ['tones', 3],
    ]
    const limits = { merges: 12, maxBytes: 24 }
    expect(learnMerges(new Map(words), limits)).toEqual(learnMerges(new Map(words.reverse()), limits))
  })
})

describe('the committed tokenizer', () => {
  it('is what the script makes', () => {
    const rows = readFileSync(rowsFile, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, string>)
    const made = tokenizerFrom(countTrainingText({ seed: 7, count: 60_000, rows }))
    expect(made).toEqual(JSON.parse(readFileSync(model, 'utf8')))
  })

  it('has no token above 24 bytes', () => {
    const { model: bpe } = JSON.parse(readFileSync(model, 'utf8')) as {
      model: { vocab: Record<string, number> }
    }
    for (const token of Object.keys(bpe.vocab)) expect(token.length).toBeLessThanOrEqual(24)
  })
})
