/**
 * p values of several comparisons, adjusted by Holm (1979): those below 0.05 after it hold together, with a chance of 5 % that one of
 * them is wrong. In the order that they came in.
 */
export function holm(ps: readonly number[]): number[] {
  const order = ps.map((_, i) => i).sort((a, b) => ps[a]! - ps[b]!)
  const adjusted = new Array<number>(ps.length)
  let most = 0
  for (const [rank, i] of order.entries()) {
    most = Math.max(most, Math.min(1, (ps.length - rank) * ps[i]!))
    adjusted[i] = most
  }
  return adjusted
}
