import { z95 } from './estimate.js'

/** Degrees of freedom from which the expansion is exact to the last bits of a double. */
const manyDegrees = 1000

/** P(|T| ≤ t) for whole degrees of freedom, a finite sum: Abramowitz and Stegun, 26.7.3 and 26.7.4. */
function within(t: number, degrees: number): number {
  const theta = Math.atan2(t, Math.sqrt(degrees))
  const [sine, cosine] = [Math.sin(theta), Math.cos(theta)]
  const odd = degrees % 2 === 1
  let term = odd ? cosine : 1
  let sum = degrees === 1 ? 0 : term
  for (let k = odd ? 2 : 1; k <= degrees - 3; k += 2) {
    term *= (k / (k + 1)) * cosine * cosine
    sum += term
  }
  return odd ? (2 / Math.PI) * (theta + sine * sum) : sine * sum
}

/**
 * The t that lies above 97.5 % of Student's distribution, for whole `degrees` of freedom ≥ 1: half the width of a 95 % interval in
 * standard errors. By Newton's method on the exact distribution, above 1,000 degrees by the expansion in 1/degrees (Abramowitz and
 * Stegun, 26.7.5), whose error is below 1e-13 there.
 */
export function t95(degrees: number): number {
  const z = z95
  const [z2, d] = [z * z, degrees]
  const expansion =
    z +
    (z * (z2 + 1)) / (4 * d) +
    (z * ((5 * z2 + 16) * z2 + 3)) / (96 * d ** 2) +
    (z * (((3 * z2 + 19) * z2 + 17) * z2 - 15)) / (384 * d ** 3) +
    (z * ((((79 * z2 + 776) * z2 + 1482) * z2 - 1920) * z2 - 945)) / (92160 * d ** 4)
  if (degrees > manyDegrees) return expansion
  // tan is the quantile for one degree; 2 P √(2 / (1 − P²)) that for two.
  if (degrees === 1) return Math.tan(0.475 * Math.PI)
  if (degrees === 2) return 0.95 * Math.sqrt(2 / (1 - 0.95 ** 2))
  // P is concave to the right of 0: the bracket keeps a step of Newton's method that leaves it.
  let [low, high] = [z, 4.31]
  let t = Math.min(expansion, high)
  for (let step = 0; step < 100; step++) {
    const missing = 0.95 - within(t, degrees)
    if (missing > 0) low = t
    else high = t
    // The slope, from a difference over a step that is far above rounding.
    const width = 1e-5 * t
    const slope = (within(t + width, degrees) - within(t - width, degrees)) / (2 * width)
    let next = t + missing / slope
    if (!(next >= low && next <= high)) next = (low + high) / 2
    if (Math.abs(next - t) <= 4e-16 * t || next === t) return next
    t = next
  }
  return t
}
