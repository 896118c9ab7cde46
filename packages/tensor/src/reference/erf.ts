/**
 * The error function to about 1e-15: its Maclaurin series below 2.5 (terms fall fast enough there), Lentz's continued
 * fraction of the complement above (Abramowitz & Stegun 1964, 7.1.5 and 7.1.14).
 */
export function erf(x: number): number {
  const a = Math.abs(x)
  if (a < 2.5) {
    let term = x
    let sum = x
    for (let n = 1; n < 80 && Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
      term *= (-x * x) / n
      sum += term / (2 * n + 1)
    }
    return (2 / Math.sqrt(Math.PI)) * sum
  }
  if (a > 6) return Math.sign(x)
  let fraction = 0
  for (let n = 120; n >= 1; n--) fraction = n / 2 / (a + fraction)
  return Math.sign(x) * (1 - Math.exp(-a * a) / (Math.sqrt(Math.PI) * (a + fraction)))
}
