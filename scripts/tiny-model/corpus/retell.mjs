// @ts-check
import { drawEvent, join } from '../../../examples/quickstart/problems/language.mjs'
import { filler } from './sentences.mjs'

/** @typedef {import('../../../examples/quickstart/problems/random.mjs').Random} Random */
/** @typedef {import('../../../examples/quickstart/problems/language.mjs').Language} Language */
/** @typedef {import('../../../examples/quickstart/problems/vocabulary.mjs').Person} Person */
/** @typedef {import('../../../examples/quickstart/problems/vocabulary.mjs').Noun} Noun */
/** @typedef {{ told: string[], again: string[], question: string }} Story `again`: the same in short */

/** @template T @param {readonly T[]} items @param {number} i @returns {T} */
const at = (items, i) => /** @type {T} */ (items[i])

/** @param {Language} language @param {string} step "He finds 8" with its colon and equation cut off */
const sentence = (language, step) => `${step}${language.stop}`

/**
 * 2–5 events after a stock or containers. The stock is followed so that nobody gives away what is not there; its
 * value is never written.
 * @param {Random} random @param {Language} language @returns {Story}
 */
const events = (random, language) => {
  const noun = random.pick(language.nouns)
  const [person, ...others] = random.sample(language.people, 3)
  const subject = /** @type {Person} */ (person)
  const short = (
    /** @type {import('../../../examples/quickstart/problems/language.mjs').Verb} */ verb,
    /** @type {number} */ amount,
  ) => sentence(language, [subject.pronoun, verb.short(amount, noun)].filter(Boolean).join(' '))
  /** @type {string[]} */
  const told = []
  /** @type {string[]} */
  const again = []
  let stock
  if (random.chance(0.25)) {
    const container = random.pick(language.containers)
    const [count, each] = [random.int(2, 9), random.int(2, 12)]
    stock = count * each
    told.push(language.packed(subject, count, container, each, noun))
    again.push(shortPacking(language, subject, count, container, each, noun))
  } else {
    stock = random.int(5, 100)
    told.push(language.has(subject, stock, noun))
    again.push(language.has(subject, stock, noun))
  }
  const count = random.int(2, 5)
  for (let position = 0; position < count; position++) {
    const { verb, amount, sign } = drawEvent(random, language, stock, noun)
    stock += sign === '+' ? amount : -amount
    told.push(language.event(subject, verb, amount, noun, random.pick(others), position))
    again.push(short(verb, amount))
  }
  return { told, again, question: language.askNow(subject, noun) }
}

/** @param {Language} language @param {Person} person @param {number} count @param {string} container @param {number} each @param {Noun} noun */
const shortPacking = (language, person, count, container, each, noun) =>
  language.code === 'zh'
    ? `有${count}个${container}，每个有${each}${noun.measure}。`
    : `${person.pronoun} has ${count} ${container} with ${each} in each.`

/** @param {Random} random @param {Language} language @returns {Story} 2–4 people, each compared with the one before */
const comparisons = (random, language) => {
  const noun = random.pick(language.nouns)
  const people = random.sample(language.people, random.int(2, 4))
  const first = language.has(at(people, 0), random.int(4, 80), noun)
  const [told, again] = [[first], [first]]
  for (let i = 1; i < people.length; i++) {
    const [person, than] = [at(people, i), at(people, i - 1)]
    const difference = random.int(2, 40)
    const more = random.chance(0.5)
    told.push(language.compare(person, difference, more, noun, than))
    again.push(
      language.code === 'zh'
        ? `${person.name}${more ? '多' : '少'}${difference}${noun.measure}。`
        : `${person.name} has ${difference} ${more ? 'more' : 'fewer'} than ${than.name}.`,
    )
  }
  return { told, again, question: language.askTogether(at(people, 0), at(people, people.length - 1), noun) }
}

/** @param {Random} random @param {Language} language @returns {Story} two kinds of containers, then 0–2 events */
const packings = (random, language) => {
  const noun = random.pick(language.nouns)
  const [person, ...others] = random.sample(language.people, 3)
  const subject = /** @type {Person} */ (person)
  const containers = random.sample(language.containers, 2)
  const [first, second] = containers.map((container) => ({
    count: random.int(2, 9),
    container,
    each: random.int(2, 12),
  }))
  const packing = [first, second].map(
    (packed) => /** @type {import('../../../examples/quickstart/problems/language.mjs').Packing} */ (packed),
  )
  const told = [language.packedTwice(subject, at(packing, 0), at(packing, 1), noun)]
  const again = packing.map(({ count, container, each }) =>
    shortPacking(language, subject, count, container, each, noun),
  )
  let stock = packing.reduce((sum, { count, each }) => sum + count * each, 0)
  const count = random.int(0, 2)
  for (let position = 0; position < count; position++) {
    const { verb, amount, sign } = drawEvent(random, language, stock, noun)
    stock += sign === '+' ? amount : -amount
    told.push(language.event(subject, verb, amount, noun, random.pick(others), position))
    again.push(sentence(language, [subject.pronoun, verb.short(amount, noun)].filter(Boolean).join(' ')))
  }
  return { told, again, question: language.askNow(subject, noun) }
}

/** @type {readonly (readonly [number, (random: Random, language: Language) => Story])[]} */
const STORIES = [
  [64, events],
  [18, comparisons],
  [18, packings],
]

const MARKERS = {
  en: ['In short:', 'Again:', 'To say it again:', 'This is what happens:'],
  zh: ['简单地说：', '再说一次：', '也就是说：'],
}

/**
 * A story, then the same again in order, shortened or word for word. Nothing is computed.
 * @param {Random} random @param {Language} language @returns {string}
 */
export const retell = (random, language) => {
  const { told, again, question } = random.weighted(STORIES)(random, language)
  const between = random.unit()
  /** @type {string[]} */
  const middle = []
  if (between < 0.3) middle.push(question)
  else if (between < 0.45) middle.push(filler(random, language))
  if (random.chance(0.35)) middle.push(random.pick(MARKERS[language.code]))
  const gap = random.chance(0.3) ? '\n' : language.gap
  return [join(language, [...told, ...middle]), join(language, random.chance(0.6) ? again : told)].join(gap)
}
