import { fixed, rate } from '../../format/numbers.js'

/** A round number not below `value`: 1, 2, 2.5 or 5 times a power of ten. */
function roundUp(value: number, whole: boolean): number {
  const power = 10 ** Math.floor(Math.log10(value))
  const factor = [1, 2, 2.5, 5, 10].find(
    (each) => each * power >= value * (1 - 1e-9) && (!whole || Number.isInteger(each * power)),
  )
  return (factor ?? 10) * power
}

/** Round numbers in a range, at most so many; whole ones for steps and counts. */
export function ticks(from: number, to: number, most = 5, whole = false): number[] {
  if (!(to > from)) return Number.isFinite(from) ? [from] : []
  const step = roundUp(Math.max((to - from) / Math.max(1, most), whole ? 1 : 0), whole)
  const first = Math.ceil(from / step - 1e-9)
  const last = Math.floor(to / step + 1e-9)
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)))
}

/** Ticks of a logarithmic axis: powers of ten, with 2 and 5 between when there is room; round numbers inside one decade. */
export function logTicks(from: number, to: number, most = 5): number[] {
  if (!(from > 0 && to > from)) return []
  const [low, high] = [Math.ceil(Math.log10(from) - 1e-9), Math.floor(Math.log10(to) + 1e-9)]
  const powers = Array.from({ length: Math.max(0, high - low + 1) }, (_, i) => low + i)
  if (powers.length < 2) return ticks(from, to, most)
  const every = Math.ceil(powers.length / most)
  if (every === 1 && powers.length * 3 <= most + 2)
    return [low - 1, ...powers].flatMap((power) =>
      [1, 2, 5].map((each) => each * 10 ** power).filter((value) => value >= from && value <= to),
    )
  return powers.filter((_, i) => i % every === 0).map((power) => 10 ** power)
}

/** The y axis: from the data and 5 % on both sides, or from a floor. */
export function linearRange(
  min: number | null,
  max: number | null,
  floor: number | null,
): [number, number] {
  const low = min ?? 0
  const high = max ?? 1
  if (floor !== null) return [floor, high > floor ? floor + (high - floor) * 1.05 : floor + 1]
  const room = high > low ? (high - low) * 0.05 : Math.max(Math.abs(high) * 0.05, 1e-6)
  return [low - room, high + room]
}

/** The y axis by logarithm: 5 % of the factor on both sides. Values must be above 0. */
export function logRange(min: number | null, max: number | null): [number, number] {
  const low = min !== null && min > 0 ? min : 1e-6
  const high = max !== null && max > low ? max : low * 1.1
  const room = Math.max((high / low) ** 0.05, 1.005)
  return [low / room, high * room]
}

/** Marks of an axis in one precision; small rates with an exponent. */
export function tickTexts(values: readonly number[]): string[] {
  const sizes = values.filter((value) => value !== 0).map(Math.abs)
  if (sizes.length === 0) return values.map((value) => fixed(value, 0))
  const largest = Math.max(...sizes)
  if (largest < 0.01) {
    // All with as many digits as the longest: 3.0e-4 beside 1.5e-4.
    const digits = Math.max(
      ...sizes.map((value) => (rate(value).split('e')[0]!.split('.')[1] ?? '').length),
    )
    return values.map((value) => (value === 0 ? '0' : value.toExponential(digits).replace('e+', 'e')))
  }
  const smallest = Math.min(...sizes)
  // Powers of ten far apart have no precision in common.
  if (largest / smallest >= 1000 && smallest < 1) return values.map((value) => rate(value))
  let digits = 0
  while (digits < 6 && values.some((value) => Math.abs(value * 10 ** digits - Math.round(value * 10 ** digits)) > 1e-6))
    digits++
  return values.map((value) => (value === 0 ? '0' : fixed(value, digits)))
}
