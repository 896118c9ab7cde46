import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import {
  bleuCounts,
  bleuOf,
  exactMatch,
  lastNumber,
  rouge,
  sentenceBleu,
  strictNumber,
  tokenF1,
  type BleuTokenizer,
} from './index.js'

const reference = JSON.parse(
  readFileSync(new URL('../../../../fixtures/eval/texts.json', import.meta.url), 'utf8'),
) as {
  pairs: {
    answer: string
    references: [string, ...string[]]
    rouge: Record<'rouge1' | 'rouge2' | 'rougeL', [number, number, number]>
    sentenceBleu: Record<'13a' | 'zh' | 'char', number>
    f1: number
  }[]
  corpora: {
    from: number
    to: number
    tokenizer: BleuTokenizer
    lowercase: boolean
    score: number
    precisions: number[]
    brevityPenalty: number
    answerLength: number
    referenceLength: number
  }[]
  exact: { answer: string; reference: string; scores: number[] }[]
  numbers: { answer: string; strict: string; flexible: string }[]
}

test('ROUGE is that of rouge_score, by words and by characters', () => {
  for (const { answer, references, rouge: expected } of reference.pairs) {
    const found = rouge(answer, references)
    for (const type of ['rouge1', 'rouge2', 'rougeL'] as const) {
      const { precision, recall, f1 } = found[type]
      const score = [precision, recall, f1]
      for (const [i, value] of expected[type].entries())
        expect(score[i], `${type} of ${answer}`).toBeCloseTo(value, 12)
    }
  }
})

test('BLEU of single answers and of corpora is that of sacreBLEU', () => {
  for (const { answer, references, sentenceBleu: expected } of reference.pairs)
    for (const tokenizer of ['13a', 'zh', 'char'] as const)
      expect(sentenceBleu(answer, references, { tokenizer }).score, `${tokenizer} of ${answer}`).toBeCloseTo(
        expected[tokenizer],
        9,
      )
  for (const { from, to, tokenizer, lowercase, score, precisions, ...lengths } of reference.corpora) {
    const counts = reference.pairs
      .slice(from, to)
      .map(({ answer, references }) => bleuCounts(answer, references, { tokenizer, lowercase }))
    const found = bleuOf(counts)
    expect(found.score).toBeCloseTo(score, 9)
    for (const [i, precision] of precisions.entries()) expect(found.precisions[i]).toBeCloseTo(precision, 9)
    expect(found.brevityPenalty).toBeCloseTo(lengths.brevityPenalty, 12)
    expect(found).toMatchObject({
      answerLength: lengths.answerLength,
      referenceLength: lengths.referenceLength,
    })
  }
  expect(bleuOf([]).score).toBe(0)
})

test('F1 of tokens is that of SQuAD', () => {
  // The reference computes in float32.
  for (const { answer, references, f1 } of reference.pairs)
    expect(tokenF1(answer, references[0]).f1, answer).toBeCloseTo(f1, 5)
  expect(tokenF1('北京。', '北京市')).toEqual({ precision: 1, recall: 2 / 3, f1: 0.8 })
})

test('exact matches are those of lm-evaluation-harness', () => {
  const options = [
    {},
    { ignoreCase: true },
    { ignorePunctuation: true },
    { ignoreNumbers: true },
    { ignoreCase: true, ignorePunctuation: true, ignoreNumbers: true },
    { ignore: [/,/, /\$/, /[\s\S]*#### /, /\.$/], ignoreCase: true },
  ]
  for (const { answer, reference: wanted, scores } of reference.exact)
    expect(
      options.map((one) => exactMatch(answer, wanted, one)),
      answer,
    ).toEqual(scores)
  // Some of each, or the comparison says nothing.
  expect(new Set(reference.exact.flatMap(({ scores }) => scores))).toEqual(new Set([0, 1]))
})

test('full-width signs can count as the others', () => {
  expect(exactMatch('１２', '12')).toBe(0)
  expect(exactMatch('１２', '12', { ignoreWidth: true })).toBe(1)
  expect(exactMatch('北京。', '北京', { ignoreWidth: true, ignorePunctuation: true })).toBe(1)
  expect(exactMatch('北京。', '北京', { ignorePunctuation: true })).toBe(0)
})

test('answers of GSM8K are found as lm-evaluation-harness finds them', () => {
  for (const { answer, strict, flexible } of reference.numbers) {
    expect(strictNumber(answer) ?? '[invalid]', answer).toBe(strict)
    expect(lastNumber(answer) ?? '[invalid]', answer).toBe(flexible)
  }
})
