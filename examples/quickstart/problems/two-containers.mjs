// @ts-check
import { MAX, equation } from './arithmetic.mjs'
import { join } from './language.mjs'
import { drawEvents } from './running-total.mjs'

/** @typedef {import('./problem.mjs').Draw} Draw */
/** @typedef {import('./problem.mjs').Problem} Problem */
/** @typedef {import('./vocabulary.mjs').Person} Person */

/**
 * Kind D: two kinds of containers, their sum, then at most one event (3 or 4 steps).
 * @param {Draw} draw @returns {Problem | undefined} undefined when the sum passes 120
 */
export const drawTwoContainers = (draw) => {
  const { random, language, people, steps } = draw
  const noun = random.pick(language.nouns)
  const [person, ...others] = random.sample(people, 3)
  const subject = /** @type {Person} */ (person)
  const [one, two] = /** @type {[string, string]} */ (random.sample(language.containers, 2))
  const first = equation(random.int(2, 9), '×', random.int(2, 12))
  const second = equation(random.int(2, 9), '×', random.int(2, 12))
  if (first.result + second.result > MAX) return undefined
  const sum = equation(first.result, '+', second.result)
  const events = drawEvents(draw, sum.result, steps - 3, subject, noun, others)
  return {
    kind: 'D',
    language: language.code,
    steps,
    question: join(language, [
      language.packedTwice(
        subject,
        { count: first.a, container: one, each: first.b },
        { count: second.a, container: two, each: second.b },
        noun,
      ),
      ...events.sentences,
      language.askNow(subject, noun),
    ]),
    solution: [
      language.holdsEquals(one, first, noun),
      language.holdsEquals(two, second, noun),
      language.together(sum, noun),
      ...events.solution,
    ],
    equations: [first, second, sum, ...events.equations],
    numbers: [first.a, first.b, second.a, second.b, ...events.numbers],
    answer: events.stock,
  }
}
