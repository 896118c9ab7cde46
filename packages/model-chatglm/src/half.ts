/** The nearest number of IEEE 754 binary16, ties to even, for positive numbers in its normal range. */
export function toHalf(x: number): number {
  const unit = 2 ** (Math.floor(Math.log2(x)) - 10)
  const steps = x / unit
  const low = Math.floor(steps)
  const rest = steps - low
  const up = rest > 0.5 || (rest === 0.5 && low % 2 === 1)
  return (low + (up ? 1 : 0)) * unit
}
