// @ts-check
import { equation } from './arithmetic.mjs'
import { join } from './language.mjs'
import { drawEvents } from './running-total.mjs'

/** @typedef {import('./problem.mjs').Draw} Draw */
/** @typedef {import('./problem.mjs').Problem} Problem */
/** @typedef {import('./vocabulary.mjs').Person} Person */

/** Kind C: containers with equal contents, then events. @param {Draw} draw @returns {Problem} */
export const drawContainers = (draw) => {
  const { random, language, people, steps } = draw
  const noun = random.pick(language.nouns)
  const [person, ...others] = random.sample(people, 3)
  const subject = /** @type {Person} */ (person)
  const container = random.pick(language.containers)
  const product = equation(random.int(2, 9), '×', random.int(2, 12))
  const events = drawEvents(draw, product.result, steps - 1, subject, noun, others)
  return {
    kind: 'C',
    language: language.code,
    steps,
    question: join(language, [
      language.packed(subject, product.a, container, product.b, noun),
      ...events.sentences,
      language.askNow(subject, noun),
    ]),
    solution: [language.packedStep(subject, product.a, container, product), ...events.solution],
    equations: [product, ...events.equations],
    numbers: [product.a, product.b, ...events.numbers],
    answer: events.stock,
  }
}
