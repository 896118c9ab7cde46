import { fixed, rate } from '../../format/numbers.js'

/** Steps between ticks, the smallest first, from a hundredth of a range to all of it: 1, 2, 2.5 or 5 times a power of ten. */
function stepsFor(range: number): number[] {
  const power = Math.floor(Math.log10(range))
  return [power - 2, power - 1, power].flatMap((each) =>
    [1, 2, 2.5, 5].map((factor) => Number((factor * 10 ** each).toPrecision(3))),
  )
}

/** Round numbers in a range, as many as there can be up to `most`; whole ones for steps and counts. */
export function ticks(from: number, to: number, most = 5, whole = false): number[] {
  if (!(to > from)) return Number.isFinite(from) ? [from] : []
  const placesOf = (each: number) => [Math.ceil(from / each - 1e-9), Math.floor(to / each + 1e-9)] as const
  const steps = whole ? [...stepsFor(to - from).filter(Number.isInteger), 1e9] : stepsFor(to - from)
  const step =
    steps.find((each) => placesOf(each)[1] - placesOf(each)[0] < Math.max(2, most)) ?? steps.at(-1)!
  const [first, last] = placesOf(step)
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)))
}

/** Parts that the steps of a run are divided into, the first that gives whole steps. */
const divisions = [5, 4, 6, 3, 2]

/** Ticks of steps: equal parts of the run where these are whole and short, else round numbers. */
export function stepTicks(from: number, to: number, most: number): number[] {
  const parts = divisions.find(
    (each) => each <= most && to % each === 0 && (to / each <= 15 || (to / each) % 10 === 0),
  )
  if (from !== 0 || parts === undefined) return ticks(from, to, most, true)
  return Array.from({ length: parts + 1 }, (_, i) => (i * to) / parts)
}

/** A round number not below `value` whose half is round too: the top of an axis with a tick in the middle. */
export function roundTop(value: number): number {
  if (!(value > 0)) return 1
  const power = 10 ** Math.floor(Math.log10(value))
  const factor = [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((each) => each * power >= value * (1 - 1e-9)) ?? 10
  return Number((factor * power).toPrecision(12))
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
export function linearRange(min: number | null, max: number | null, floor: number | null): [number, number] {
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
    const digits = Math.max(...sizes.map((value) => (rate(value).split('e')[0]!.split('.')[1] ?? '').length))
    return values.map((value) => (value === 0 ? '0' : value.toExponential(digits).replace('e+', 'e')))
  }
  const smallest = Math.min(...sizes)
  // Powers of ten far apart have no precision in common.
  if (largest / smallest >= 1000 && smallest < 1) return values.map((value) => rate(value))
  let digits = 0
  while (
    digits < 6 &&
    values.some((value) => Math.abs(value * 10 ** digits - Math.round(value * 10 ** digits)) > 1e-6)
  )
    digits++
  return values.map((value) => (value === 0 ? '0' : fixed(value, digits)))
}
