// @ts-check
import { equation } from './arithmetic.mjs'
import { drawEvent, join } from './language.mjs'

/** @typedef {import('./problem.mjs').Draw} Draw */
/** @typedef {import('./problem.mjs').Problem} Problem */
/** @typedef {import('./arithmetic.mjs').Equation} Equation */

/**
 * Events that change a stock, one step each: their sentences in a problem, their steps in its solution.
 *
 * @param {Draw} draw @param {number} stock what there is before @param {number} count
 * @param {import('./vocabulary.mjs').Person} person @param {import('./vocabulary.mjs').Noun} noun
 * @param {readonly import('./vocabulary.mjs').Person[]} others whom an event may name
 */
export const drawEvents = ({ random, language }, stock, count, person, noun, others) => {
  /** @type {string[]} */
  const sentences = []
  /** @type {string[]} */
  const solution = []
  /** @type {Equation[]} */
  const equations = []
  for (let position = 0; position < count; position++) {
    const { verb, amount, sign } = drawEvent(random, language, stock, noun)
    const sum = equation(stock, sign, amount)
    sentences.push(language.event(person, verb, amount, noun, random.pick(others), position))
    solution.push(language.step(person, verb, amount, noun, sum))
    equations.push(sum)
    stock = sum.result
  }
  return { sentences, solution, equations, numbers: equations.map((sum) => sum.b), stock }
}

/** Kind R: a stock and what happens to it, one step per event. @param {Draw} draw @returns {Problem} */
export const drawRunningTotal = (draw) => {
  const { random, language, people, steps } = draw
  const noun = random.pick(language.nouns)
  const [person, ...others] = random.sample(people, 3)
  const subject = /** @type {import('./vocabulary.mjs').Person} */ (person)
  const start = random.int(5, 80)
  const events = drawEvents(draw, start, steps, subject, noun, others)
  const has = language.has(subject, start, noun)
  return {
    kind: 'R',
    language: language.code,
    steps,
    question: join(language, [has, ...events.sentences, language.askNow(subject, noun)]),
    solution: [has, ...events.solution],
    equations: events.equations,
    numbers: [start, ...events.numbers],
    answer: events.stock,
  }
}
