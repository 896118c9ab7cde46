export interface Overlap {
  readonly precision: number
  readonly recall: number
  readonly f1: number
}

export interface Rouge {
  readonly rouge1: Overlap
  readonly rouge2: Overlap
  readonly rougeL: Overlap
}

/**
 * Words of letters a–z and digits in lower case, as ROUGE 1.5.5 has them, and each character of Chinese and Japanese by itself. Other
 * letters separate words: é does, in ROUGE 1.5.5 and in `rouge_score`.
 */
export const rougeTokens = (text: string): string[] =>
  text.toLowerCase().match(/[a-z0-9]+|[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/gu) ?? []

const overlap = (common: number, answer: number, reference: number): Overlap => {
  const [precision, recall] = [common / Math.max(answer, 1), common / Math.max(reference, 1)]
  return { precision, recall, f1: common > 0 ? (2 * precision * recall) / (precision + recall) : 0 }
}

function counted(tokens: readonly string[], n: number): Map<string, number> {
  const counts = new Map<string, number>()
  for (let i = 0; i + n <= tokens.length; i++) {
    const gram = tokens.slice(i, i + n).join(' ')
    counts.set(gram, (counts.get(gram) ?? 0) + 1)
  }
  return counts
}

function ofGrams(answer: readonly string[], reference: readonly string[], n: number): Overlap {
  const [found, wanted] = [counted(answer, n), counted(reference, n)]
  let common = 0
  for (const [gram, count] of wanted) common += Math.min(count, found.get(gram) ?? 0)
  return overlap(common, Math.max(0, answer.length - n + 1), Math.max(0, reference.length - n + 1))
}

/** Length of the longest common subsequence, in O(ab) time and O(b) memory. */
function longestCommon(a: readonly string[], b: readonly string[]): number {
  let above = new Uint32Array(b.length + 1)
  let row = new Uint32Array(b.length + 1)
  for (const token of a) {
    for (let j = 0; j < b.length; j++)
      row[j + 1] = token === b[j] ? above[j]! + 1 : Math.max(above[j + 1]!, row[j]!)
    ;[above, row] = [row, above]
  }
  return above[b.length]!
}

/**
 * ROUGE-1, -2 and -L (Lin, 2004) of an answer against its reference, without stemming, as `rouge_score` computes them. Of several
 * references the one counts whose F1 is highest, for each of the three by itself.
 */
export function rouge(answer: string, references: string | readonly [string, ...string[]]): Rouge {
  const tokens = rougeTokens(answer)
  const scores = (typeof references === 'string' ? [references] : references).map((reference): Rouge => {
    const wanted = rougeTokens(reference)
    return {
      rouge1: ofGrams(tokens, wanted, 1),
      rouge2: ofGrams(tokens, wanted, 2),
      rougeL: overlap(longestCommon(tokens, wanted), tokens.length, wanted.length),
    }
  })
  const best = (type: keyof Rouge) =>
    scores.map((score) => score[type]).reduce((most, one) => (one.f1 > most.f1 ? one : most))
  return { rouge1: best('rouge1'), rouge2: best('rouge2'), rougeL: best('rougeL') }
}
