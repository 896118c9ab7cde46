/** Points of a line; y is not finite where there is none. x does not fall. */
export interface Points {
  readonly x: ArrayLike<number>
  readonly y: ArrayLike<number>
}

/** Up to so many points a line is drawn as it is. */
export const mostPoints = 2000

/** First index whose x is not below `value`. */
export function lowerBound(x: ArrayLike<number>, value: number): number {
  let [low, high] = [0, x.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (x[middle]! < value) low = middle + 1
    else high = middle
  }
  return low
}

/**
 * The points that show between `from` and `to` on so many pixels, with one neighbour on each side so that the line goes on to the edges.
 * Of more than 2,000 the smallest and the largest of each pixel, in their order, and the first that is not finite, for the gap.
 */
export function thin(
  { x, y }: Points,
  from: number,
  to: number,
  pixels: number,
): { x: number[]; y: number[] } {
  const first = Math.max(0, lowerBound(x, from) - 1)
  const last = Math.min(x.length - 1, lowerBound(x, to === Infinity ? to : nextAbove(to)))
  const out = { x: [] as number[], y: [] as number[] }
  const take = (i: number) => {
    out.x.push(x[i]!)
    out.y.push(y[i]!)
  }
  if (last < first) return out
  if (last - first + 1 <= mostPoints) {
    for (let i = first; i <= last; i++) take(i)
    return out
  }
  const [left, right] = [x[first]!, x[last]!]
  const perPixel = (right - left) / Math.max(1, pixels) || 1
  for (let i = first; i <= last;) {
    const end = left + (Math.floor((x[i]! - left) / perPixel) + 1) * perPixel
    let [low, high, gap] = [-1, -1, -1]
    let [least, most] = [Infinity, -Infinity]
    // The point itself belongs to its pixel whatever rounding says.
    do {
      const value = y[i]!
      if (!Number.isFinite(value)) {
        if (gap < 0) gap = i
      } else {
        if (value < least) {
          low = i
          least = value
        }
        if (value > most) {
          high = i
          most = value
        }
      }
      i++
    } while (i <= last && x[i]! < end)
    const kept = [...new Set([low, high, gap])].filter((index) => index >= 0).sort((a, b) => a - b)
    for (const index of kept) take(index)
  }
  return out
}

/** Above `value` by less than any step is. */
const nextAbove = (value: number) => value + Math.max(Math.abs(value) * Number.EPSILON, Number.MIN_VALUE)

/**
 * Lines over one x axis as uPlot takes them: all x in order, and for each line its value there; undefined where the line has no point
 * (it is drawn through), null where its value is not finite (a gap).
 */
export function align(
  lines: readonly { readonly x: readonly number[]; readonly y: readonly number[] }[],
): [number[], ...(number | null | undefined)[][]] {
  const all = new Set<number>()
  for (const line of lines) for (const at of line.x) all.add(at)
  const x = [...all].sort((a, b) => a - b)
  const columns = lines.map((line) => {
    let next = 0
    return x.map((at) => {
      if (line.x[next] !== at) return undefined
      // Of several points at one x, as a resumed run may leave, the newest.
      while (line.x[next + 1] === at) next++
      const value = line.y[next++]!
      return Number.isFinite(value) ? value : null
    })
  })
  return [x, ...columns]
}

/** x of the points that are not finite, one for each run of them: marks on the axis. */
export function gapsOf({ x, y }: Points): number[] {
  const gaps: number[] = []
  for (let i = 0; i < x.length; i++)
    if (!Number.isFinite(y[i]!) && (i === 0 || Number.isFinite(y[i - 1]!))) gaps.push(x[i]!)
  return gaps
}
