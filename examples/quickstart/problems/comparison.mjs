// @ts-check
import { MAX, equation } from './arithmetic.mjs'
import { join } from './language.mjs'

/** @typedef {import('./problem.mjs').Draw} Draw */
/** @typedef {import('./problem.mjs').Problem} Problem */
/** @typedef {import('./vocabulary.mjs').Person} Person */
/** @typedef {import('./arithmetic.mjs').Equation} Equation */

/**
 * Kind B: each person has more or fewer than the one before; how many do two of them have together? One of the two is
 * the last person, so every step is needed.
 * @param {Draw} draw @returns {Problem | undefined} undefined when a number leaves 2..120
 */
export const drawComparison = ({ random, language, people, steps }) => {
  const noun = random.pick(language.nouns)
  const persons = random.sample(people, steps)
  const at = (/** @type {number} */ i) => /** @type {Person} */ (persons[i])
  const start = random.int(4, 35)
  const amounts = [start]
  const sentences = [language.has(at(0), start, noun)]
  /** @type {string[]} */
  const solution = []
  /** @type {Equation[]} */
  const equations = []
  for (let i = 1; i < steps; i++) {
    const before = /** @type {number} */ (amounts[i - 1])
    const more = before < 6 || random.chance(0.5)
    const difference = random.int(2, more ? 40 : Math.min(40, before))
    const after = more ? before + difference : before - difference
    // "has 1 coins" would be the only singular of the language.
    if (after < 2 || after > MAX) return undefined
    const sum = equation(before, more ? '+' : '-', difference)
    sentences.push(language.compare(at(i), difference, more, noun, at(i - 1)))
    solution.push(language.hasEquals(at(i), sum, noun))
    equations.push(sum)
    amounts.push(after)
  }
  const other = random.int(0, steps - 2)
  const [a, b] = [/** @type {number} */ (amounts[other]), /** @type {number} */ (amounts[steps - 1])]
  if (a + b > MAX) return undefined
  const total = equation(a, '+', b)
  return {
    kind: 'B',
    language: language.code,
    steps,
    question: join(language, [...sentences, language.askTogether(at(other), at(steps - 1), noun)]),
    solution: [...solution, language.together(total, noun)],
    equations: [...equations, total],
    numbers: [start, ...equations.map((sum) => sum.b)],
    answer: total.result,
  }
}
