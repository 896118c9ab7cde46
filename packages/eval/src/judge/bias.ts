import { DataRandom } from '@ift/core'
import { spearman } from '../statistics/spearman.js'

/** Indices of the items that are judged a second time: a seeded tenth of `count`, at least one of them, in order. */
export function judgedAgain(count: number, { share = 0.1, seed = 0 } = {}): number[] {
  const indices = Array.from({ length: count }, (_, i) => i)
  const most = Math.min(count, Math.max(1, Math.round(count * share)))
  return new DataRandom('judged-again', seed)
    .shuffle(indices)
    .slice(0, most)
    .sort((a, b) => a - b)
}

export interface Agreement {
  /** Items that have a score both times. */
  readonly items: number
  /** Share of them with the same score. Null without items. */
  readonly same: number | null
  /** Mean distance of the two scores. */
  readonly meanDistance: number | null
}

/** How far a judge agrees with itself: its scores of the same answers, twice. */
export function agreement(first: readonly (number | null)[], second: readonly (number | null)[]): Agreement {
  const distances = first.flatMap((score, i) => {
    const other = second[i] ?? null
    return score === null || other === null ? [] : [Math.abs(score - other)]
  })
  const items = distances.length
  if (items === 0) return { items, same: null, meanDistance: null }
  return {
    items,
    same: distances.filter((distance) => distance < 1e-9).length / items,
    meanDistance: distances.reduce((sum, distance) => sum + distance, 0) / items,
  }
}

/**
 * Whether a judge prefers long answers: the rank correlation of scores with the characters of the answers. Longer answers may be better
 * ones, so it is a reason to look, no proof. Null where it has no value.
 */
export function lengthCorrelation(
  judged: readonly { readonly answer: string; readonly score: number | null }[],
): number | null {
  const scored = judged.flatMap(({ answer, score }) =>
    score === null ? [] : [{ length: answer.length, score }],
  )
  return spearman(
    scored.map(({ length }) => length),
    scored.map(({ score }) => score),
  )
}
