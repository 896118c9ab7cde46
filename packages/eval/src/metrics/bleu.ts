import { bleuTokens, type BleuTokenizer } from './bleu-tokens.js'

const orders = 4

/** What BLEU needs of an answer: sums of these over answers are those of a corpus. */
export interface BleuCounts {
  readonly answerLength: number
  readonly referenceLength: number
  /** Sequences of 1 to 4 tokens, and those of them that a reference has too. */
  readonly total: readonly number[]
  readonly common: readonly number[]
}

export interface BleuOptions {
  readonly tokenizer?: BleuTokenizer
  readonly lowercase?: boolean
}

export interface Bleu {
  /** 0 to 100. */
  readonly score: number
  /** Of sequences of 1 to 4 tokens, 0 to 100. */
  readonly precisions: readonly number[]
  readonly brevityPenalty: number
  readonly answerLength: number
  readonly referenceLength: number
}

function counted(tokens: readonly string[]): Map<string, number>[] {
  return Array.from({ length: orders }, (_, order) => {
    const counts = new Map<string, number>()
    for (let i = 0; i + order < tokens.length; i++) {
      const gram = tokens.slice(i, i + order + 1).join(' ')
      counts.set(gram, (counts.get(gram) ?? 0) + 1)
    }
    return counts
  })
}

/** The counts of an answer against one or more references, of which the one nearest in length gives the length. */
export function bleuCounts(
  answer: string,
  references: readonly [string, ...string[]],
  { tokenizer = '13a', lowercase = false }: BleuOptions = {},
): BleuCounts {
  const tokens = (text: string) => bleuTokens(lowercase ? text.toLowerCase() : text, tokenizer)
  const [found, wanted] = [tokens(answer), references.map(tokens)]
  const lengths = wanted.map(({ length }) => length)
  const apart = (length: number) => Math.abs(length - found.length)
  const referenceLength = lengths.reduce((best, length) =>
    apart(length) < apart(best) || (apart(length) === apart(best) && length < best) ? length : best,
  )
  const wantedGrams = wanted.map(counted)
  const [total, common]: [number[], number[]] = [[], []]
  for (const [order, grams] of counted(found).entries()) {
    let matches = 0
    for (const [gram, count] of grams)
      matches += Math.min(count, Math.max(...wantedGrams.map((one) => one[order]!.get(gram) ?? 0)))
    total.push(Math.max(0, found.length - order))
    common.push(matches)
  }
  return { answerLength: found.length, referenceLength, total, common }
}

/**
 * BLEU (Papineni et al., 2002) of a corpus as sacreBLEU computes it, with its smoothing `exp`: the n-th precision without a match is
 * 100 / (2ⁿ · total). `effectiveOrder` leaves out lengths of which the answer has no sequence, for single sentences.
 */
export function bleuOf(counts: readonly BleuCounts[], { effectiveOrder = false } = {}): Bleu {
  let [answerLength, referenceLength] = [0, 0]
  const [total, common] = [new Array<number>(orders).fill(0), new Array<number>(orders).fill(0)]
  for (const one of counts) {
    answerLength += one.answerLength
    referenceLength += one.referenceLength
    for (let order = 0; order < orders; order++) {
      total[order]! += one.total[order]!
      common[order]! += one.common[order]!
    }
  }
  const brevityPenalty =
    answerLength >= referenceLength ? 1 : answerLength > 0 ? Math.exp(1 - referenceLength / answerLength) : 0
  const precisions = new Array<number>(orders).fill(0)
  const found = { precisions, brevityPenalty, answerLength, referenceLength }
  if (common.every((count) => count === 0)) return { score: 0, ...found }
  let [smoothing, used] = [1, effectiveOrder ? 0 : orders]
  for (let order = 0; order < orders && total[order]! > 0; order++) {
    if (effectiveOrder) used = order + 1
    if (common[order] === 0) smoothing *= 2
    precisions[order] = (100 * (common[order]! || 1 / smoothing)) / total[order]!
  }
  const logs = precisions.slice(0, used).reduce((sum, precision) => sum + Math.log(precision), 0)
  return { score: brevityPenalty * Math.exp(logs / used), ...found }
}

/** BLEU of one answer, with `effectiveOrder`: `sentence_bleu` of sacreBLEU. */
export const sentenceBleu = (
  answer: string,
  references: readonly [string, ...string[]],
  options: BleuOptions = {},
): Bleu => bleuOf([bleuCounts(answer, references, options)], { effectiveOrder: true })
