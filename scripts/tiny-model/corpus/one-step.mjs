// @ts-check
import { equation, MAX } from '../../../examples/quickstart/problems/arithmetic.mjs'
import { drawEvent, join } from '../../../examples/quickstart/problems/language.mjs'
import { filler } from './sentences.mjs'

/** @typedef {import('../../../examples/quickstart/problems/random.mjs').Random} Random */
/** @typedef {import('../../../examples/quickstart/problems/language.mjs').Language} Language */
/** @typedef {import('../../../examples/quickstart/problems/vocabulary.mjs').Person} Person */
/** @typedef {import('../../../examples/quickstart/problems/vocabulary.mjs').Noun} Noun */
/** @typedef {(random: Random, language: Language) => string} Kind */

/** @template T @param {readonly T[]} items @param {number} i @returns {T} */
const at = (items, i) => /** @type {T} */ (items[i])

/** One event and what is left, at times beside somebody else's things. @type {Kind} */
const event = (random, language) => {
  const people = random.sample(language.people, 3)
  const [subject, neighbour, other] = /** @type {[Person, Person, Person]} */ (people)
  const [noun, another] = /** @type {[Noun, Noun]} */ (random.sample(language.nouns, 2))
  const stock = random.int(2, MAX)
  const { verb, amount, sign } = drawEvent(random, language, stock, noun)
  const sum = equation(stock, sign, amount)
  const has = language.has(subject, stock, noun)
  const sentences = [has]
  if (random.chance(0.35)) {
    const aside = language.has(neighbour, random.int(2, MAX), random.chance(0.5) ? noun : another)
    sentences.splice(random.int(0, 1), 0, aside)
  } else if (random.chance(0.15)) {
    sentences.splice(random.int(0, 1), 0, filler(random, language))
  }
  // After somebody else's sentence a pronoun would point to the wrong person.
  const own = sentences.at(-1) === has
  const say = own ? language.event : language.eventByName
  sentences.push(say(subject, verb, amount, noun, other, 0))
  if (random.chance(0.35)) sentences.push(language.askNow(subject, noun))
  const plural = language.code === 'zh' || sum.result !== 1
  const form = plural ? random.weighted(EVENT_FORMS) : 'step'
  if (form === 'step' || form === 'stepNow') sentences.push(language.step(subject, verb, amount, noun, sum))
  if (form === 'bareNow') sentences.push(`${sum.text}${language.stop}`)
  if (form === 'equationNow') sentences.push(language.hasNow(subject, sum.text, noun))
  if (form === 'stepNow' || form === 'bareNow' || form === 'now') {
    sentences.push(language.hasNow(subject, sum.result, noun))
  }
  return join(language, sentences)
}

/** @type {readonly (readonly [number, 'step' | 'stepNow' | 'bareNow' | 'equationNow' | 'now'])[]} */
const EVENT_FORMS = [
  [35, 'step'],
  [25, 'stepNow'],
  [15, 'bareNow'],
  [15, 'equationNow'],
  [10, 'now'],
]

/** More or fewer than one of up to four people. @type {Kind} */
const relation = (random, language) => {
  const people = random.sample(language.people, random.weighted(PEOPLE_OF_RELATION))
  const noun = random.pick(language.nouns)
  const known = people.slice(1)
  const subject = at(people, 0)
  const amounts = known.map(() => random.int(4, MAX - 4))
  const chosen = random.int(0, known.length - 1)
  const [than, base] = [at(known, chosen), at(amounts, chosen)]
  const more = random.chance(0.5)
  const highest = more ? MAX - base : base - 2
  const difference = random.int(2, Math.min(40, highest))
  const sum = equation(base, more ? '+' : '-', difference)
  const sentences = known.map((person, i) => language.has(person, at(amounts, i), noun))
  sentences.push(language.compare(subject, difference, more, noun, than))
  if (random.chance(0.35)) sentences.push(language.askHas(subject, noun))
  const form = random.unit()
  if (form < 0.65) sentences.push(language.hasEquals(subject, sum, noun))
  else if (form < 0.9) sentences.push(`${sum.text}${language.stop}`, language.has(subject, sum.result, noun))
  else sentences.push(language.has(subject, sum.result, noun))
  return join(language, sentences)
}

/** @type {readonly (readonly [number, number])[]} */
const PEOPLE_OF_RELATION = [
  [45, 2],
  [35, 3],
  [20, 4],
]

/** @type {Kind} */
const twice = (random, language) => {
  const [person, other] = /** @type {[Person, Person]} */ (random.sample(language.people, 2))
  const noun = random.pick(language.nouns)
  const product = equation(2, '×', random.int(2, MAX / 2))
  const relationSentence =
    language.code === 'zh'
      ? `${other.name}的${noun.word}是${person.name}的2倍。`
      : `${other.name} has twice as many ${noun.word} as ${person.name}.`
  return join(language, [
    language.has(person, product.b, noun),
    relationSentence,
    language.hasEquals(other, product, noun),
  ])
}

/** Containers × contents, of one kind or of one among two. @type {Kind} */
const packing = (random, language) => {
  const person = random.pick(language.people)
  const noun = random.pick(language.nouns)
  const containers = random.sample(language.containers, 2)
  const products = containers.map(() => equation(random.int(2, 10), '×', random.int(2, 12)))
  const asked = random.int(0, 1)
  const [product, container] = [at(products, asked), at(containers, asked)]
  /** @type {string[]} */
  const sentences = []
  if (random.chance(0.35)) {
    const [first, second] = products.map(({ a, b }, i) => ({
      count: a,
      container: at(containers, i),
      each: b,
    }))
    sentences.push(
      language.packedTwice(
        person,
        /** @type {import('../../../examples/quickstart/problems/language.mjs').Packing} */ (first),
        /** @type {import('../../../examples/quickstart/problems/language.mjs').Packing} */ (second),
        noun,
      ),
    )
  } else {
    const owner = random.chance(0.65) ? person : undefined
    sentences.push(language.packed(owner, product.a, container, product.b, noun))
    if (owner && random.chance(0.35)) sentences.push(language.askHas(owner, noun))
  }
  const form = random.unit()
  if (form < 0.45) sentences.push(language.holdsEquals(container, product, noun))
  else if (form < 0.9) sentences.push(language.packedStep(person, product.a, container, product))
  else sentences.push(`${product.text}${language.stop}`)
  return join(language, sentences)
}

/** Two of up to four people, whose things are added. @type {Kind} */
const together = (random, language) => {
  const people = random.sample(language.people, random.weighted(PEOPLE_TOGETHER))
  const noun = random.pick(language.nouns)
  for (;;) {
    const amounts = people.map(() => random.int(2, MAX - 2))
    const [i, j] = /** @type {[number, number]} */ (
      random.sample(
        people.map((_, k) => k),
        2,
      )
    )
    if (at(amounts, i) + at(amounts, j) > MAX) continue
    const sum = equation(at(amounts, i), '+', at(amounts, j))
    const sentences = people.map((person, k) => language.has(person, at(amounts, k), noun))
    if (people.length > 2 || random.chance(0.6)) {
      sentences.push(language.askTogether(at(people, i), at(people, j), noun))
    }
    const form = random.unit()
    if (form < 0.7) sentences.push(language.together(sum, noun))
    else if (form < 0.9)
      sentences.push(togetherByName(language, at(people, i), at(people, j), sum.text, noun))
    else sentences.push(togetherByName(language, at(people, i), at(people, j), sum.result, noun))
    return join(language, sentences)
  }
}

/** @type {readonly (readonly [number, number])[]} */
const PEOPLE_TOGETHER = [
  [35, 2],
  [35, 3],
  [30, 4],
]

/** @param {Language} language @param {Person} a @param {Person} b @param {string | number} sum @param {Noun} noun */
const togetherByName = (language, a, b, sum, noun) =>
  language.code === 'zh'
    ? `${a.name}和${b.name}一共有${sum}${noun.measure}${noun.word}。`
    : `${a.name} and ${b.name} have ${sum} ${noun.word} together.`

/** The contents of two containers are known and added. @type {Kind} */
const contentsTogether = (random, language) => {
  const noun = random.pick(language.nouns)
  const [first, second] = /** @type {[string, string]} */ (random.sample(language.containers, 2))
  const a = random.int(2, MAX - 2)
  const sum = equation(a, '+', random.int(2, MAX - a))
  const holds = (/** @type {string} */ container, /** @type {number} */ amount) =>
    language.code === 'zh'
      ? `${container}有${amount}${noun.measure}${noun.word}。`
      : `The ${container} hold ${amount} ${noun.word}.`
  return join(language, [holds(first, sum.a), holds(second, sum.b), language.together(sum, noun)])
}

/** Who has how many, asked or said again; nothing is computed. @type {Kind} */
const plainRecall = (random, language) => {
  const people = random.sample(language.people, random.int(2, 4))
  const noun = random.pick(language.nouns)
  const sentences = people.map((person) => language.has(person, random.int(2, MAX), noun))
  const i = random.int(0, people.length - 1)
  const said = at(sentences, i)
  if (random.chance(0.6)) sentences.push(language.askHas(at(people, i), noun))
  return join(language, [...sentences, said])
}

/** @type {readonly (readonly [number, Kind])[]} */
const KINDS = [
  [32, event],
  [24, relation],
  [3, twice],
  [14, packing],
  [14, together],
  [5, contentsTogether],
  [8, plainRecall],
]

/** One step about people and things. @type {Kind} */
export const oneStep = (random, language) => random.weighted(KINDS)(random, language)
