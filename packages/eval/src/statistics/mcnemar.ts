/** Items that one of two answered rightly and the other did not, and how likely such a division is by chance. */
export interface McNemar {
  readonly onlyFirst: number
  readonly onlySecond: number
  /** Two-sided, exact. */
  readonly p: number
}

/** The exact test of McNemar (1947): of the items on which two differ, each has the same chance to be right. Scores are 0 or 1. */
export function mcnemar(first: readonly number[], second: readonly number[]): McNemar {
  let [onlyFirst, onlySecond] = [0, 0]
  for (const [i, score] of first.entries()) {
    if (score > second[i]!) onlyFirst++
    else if (score < second[i]!) onlySecond++
  }
  const [n, fewer] = [onlyFirst + onlySecond, Math.min(onlyFirst, onlySecond)]
  return { onlyFirst, onlySecond, p: Math.min(1, 2 * tailOf(n, fewer)) }
}

/** P(X ≤ most) for X of the binomial distribution (n, 1/2). */
function tailOf(n: number, most: number): number {
  // 2^-n is no double beyond n = 1074: there the terms are logarithms.
  const isSmall = n <= 1000
  let term = isSmall ? 2 ** -n : -n * Math.LN2
  let tail = isSmall ? term : Math.exp(term)
  for (let k = 1; k <= most; k++) {
    const ratio = (n - k + 1) / k
    term = isSmall ? term * ratio : term + Math.log(ratio)
    tail += isSmall ? term : Math.exp(term)
  }
  return tail
}
