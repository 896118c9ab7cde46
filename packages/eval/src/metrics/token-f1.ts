import { blanks } from './blanks.js'
import type { Overlap } from './rouge.js'

const punctuation = /[!-/:-@[-`{-~\u3001-\u303f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]/gu
const articles = /(?<![\p{L}\p{N}_])(?:an?|the)(?![\p{L}\p{N}_])/gu

/**
 * Tokens as SQuAD normalises answers: lower case, without punctuation and English articles. Each character of Chinese and Japanese is a
 * token, and their punctuation is left out.
 */
const tokensOf = (text: string): string[] =>
  text
    .toLowerCase()
    .replace(punctuation, '')
    .replace(articles, ' ')
    .replace(/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/gu, ' $& ')
    .split(blanks)
    .filter((token) => token !== '')

/**
 * How much two answers have in common as bags of tokens, as SQuAD's F1 (Rajpurkar et al., 2016). Two answers without a token are the same,
 * one is not the same as any.
 */
export function tokenF1(answer: string, reference: string): Overlap {
  const [found, wanted] = [tokensOf(answer), tokensOf(reference)]
  if (found.length === 0 || wanted.length === 0) {
    const same = found.length === wanted.length ? 1 : 0
    return { precision: same, recall: same, f1: same }
  }
  const left = new Map<string, number>()
  for (const token of wanted) left.set(token, (left.get(token) ?? 0) + 1)
  let common = 0
  for (const token of found) {
    const count = left.get(token) ?? 0
    if (count > 0) common++
    left.set(token, count - 1)
  }
  const [precision, recall] = [common / found.length, common / wanted.length]
  return { precision, recall, f1: common > 0 ? (2 * precision * recall) / (precision + recall) : 0 }
}
