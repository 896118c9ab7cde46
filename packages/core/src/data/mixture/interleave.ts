/**
 * An even alternation: which part gives each sample when part i gives `counts[i]` of them. With N samples in all, m of
 * them hold between m·counts[i]/N - 1 and m·counts[i]/N + 1 of part i, for every m. The order is that of Tijdeman (The
 * chairman assignment problem, Discrete Mathematics 32, 1980): of the parts whose turn has come, the one that has to
 * come first; of equal ones the first.
 */
export function interleave(counts: readonly number[]): Uint16Array {
  const total = counts.reduce((sum, count) => sum + count, 0)
  const order = new Uint16Array(total)
  const parts = counts.flatMap((count, part) => (count > 0 ? [part] : []))
  if (parts.length < 2) return order.fill(parts[0] ?? 0)
  /** Samples that a part is short of, times N: whole numbers between -N and N. */
  const short = new Float64Array(counts.length)
  const bound = 2 * parts.length - 2
  for (let m = 0; m < total; m++) {
    let chosen = -1
    let soonest = Infinity
    for (const part of parts) {
      const missing = (short[part]! += counts[part]!)
      if (bound * missing < total) continue
      const deadline = (total * (bound - 1) - bound * missing) / counts[part]!
      if (deadline < soonest) [chosen, soonest] = [part, deadline]
    }
    short[chosen]! -= total
    order[m] = chosen
  }
  return order
}
