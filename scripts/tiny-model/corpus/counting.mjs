// @ts-check
import { MAX } from '../../../examples/quickstart/problems/arithmetic.mjs'

/** @typedef {import('../../../examples/quickstart/problems/random.mjs').Random} Random */

/** Which of two numbers is larger. @param {Random} random @returns {string} */
export const comparing = (random) => {
  const sentences = Array.from({ length: random.int(1, 4) }, () => {
    const a = random.int(0, MAX)
    const b = (a + random.int(1, MAX)) % (MAX + 1)
    const [small, large] = a < b ? [a, b] : [b, a]
    return { a, b, small, large }
  })
  switch (random.int(0, 3)) {
    case 0:
      return sentences.map(({ small, large }) => `${large} is more than ${small}.`).join(' ')
    case 1:
      return sentences.map(({ small, large }) => `${small} is less than ${large}.`).join(' ')
    case 2:
      return sentences.map(({ a, b, large }) => `Which is more, ${a} or ${b}? ${large}.`).join(' ')
    default:
      return sentences.map(({ a, b, large }) => `${a}和${b}哪个大？${large}。`).join('')
  }
}

/** Counting by 1, 2, 5 or 10, up or down. @param {Random} random @returns {string} */
export const counting = (random) => {
  const step = random.pick([1, 2, 5, 10])
  const length = random.int(3, 10)
  const span = step * (length - 1)
  const low = random.int(0, MAX - span)
  const numbers = Array.from({ length }, (_, i) => low + i * step)
  if (random.chance(0.3)) numbers.reverse()
  return random.chance(0.4) ? `数数：${numbers.join(', ')}.` : `Count: ${numbers.join(', ')}.`
}
