/** Ranks from 1; equal values share the mean of theirs. */
function ranks(values: readonly number[]): number[] {
  const order = values.map((_, i) => i).sort((a, b) => values[a]! - values[b]!)
  const found = new Array<number>(values.length)
  for (let from = 0; from < order.length;) {
    let to = from
    while (to < order.length && values[order[to]!] === values[order[from]!]) to++
    for (let i = from; i < to; i++) found[order[i]!] = (from + 1 + to) / 2
    from = to
  }
  return found
}

/**
 * Rank correlation of Spearman (1904) between two values of the same items, -1 to 1. Null for fewer than two items, or where one of the
 * two never changes.
 */
export function spearman(first: readonly number[], second: readonly number[]): number | null {
  const [a, b] = [ranks(first), ranks(second)]
  const middle = (first.length + 1) / 2
  let [ab, aa, bb] = [0, 0, 0]
  for (let i = 0; i < a.length; i++) {
    ab += (a[i]! - middle) * (b[i]! - middle)
    aa += (a[i]! - middle) ** 2
    bb += (b[i]! - middle) ** 2
  }
  return aa === 0 || bb === 0 ? null : ab / Math.sqrt(aa * bb)
}
