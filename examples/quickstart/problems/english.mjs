// @ts-check
import { ENGLISH_CONTAINERS, ENGLISH_NOUNS, ENGLISH_PEOPLE, ENGLISH_PLACES } from './vocabulary.mjs'

/** @typedef {import('./language.mjs').Verb} Verb */

/**
 * @param {'+' | '-'} sign @param {string} verb @param {boolean} [made]
 * @returns {Verb} for the verbs that say the same in full and in short
 */
const plain = (sign, verb, made = false) => ({
  sign,
  made,
  full: (amount, noun) => `${verb} ${amount} ${noun.word}`,
  short: (amount) => `${verb} ${amount}`,
})

/** @type {import('./language.mjs').Language} */
export const english = {
  code: 'en',
  gap: ' ',
  stop: '.',
  people: ENGLISH_PEOPLE,
  nouns: ENGLISH_NOUNS,
  containers: ENGLISH_CONTAINERS,
  places: ENGLISH_PLACES,
  verbs: [
    {
      sign: '+',
      made: false,
      full: (amount, noun) => `buys ${amount} more ${noun.word}`,
      short: (amount) => `buys ${amount} more`,
    },
    {
      sign: '+',
      made: false,
      full: (amount, noun, other) => `gets ${amount} ${noun.word} from ${other.name}`,
      short: (amount) => `gets ${amount}`,
    },
    plain('+', 'finds'),
    plain('+', 'picks up'),
    plain('+', 'makes', true),
    {
      sign: '-',
      made: false,
      full: (amount, noun, other) => `gives ${amount} ${noun.word} to ${other.name}`,
      short: (amount) => `gives away ${amount}`,
    },
    {
      sign: '-',
      made: false,
      full: (amount) => `uses ${amount} of them`,
      short: (amount) => `uses ${amount}`,
    },
    plain('-', 'loses'),
    plain('-', 'sells'),
    plain('-', 'throws away'),
  ],
  has: (person, amount, noun) => `${person.name} has ${amount} ${noun.word}.`,
  hasNow: (person, amount, noun) => `Now ${person.name} has ${amount} ${noun.word}.`,
  hasEquals: (person, sum, noun) => `${person.name} has ${sum.text} ${noun.word}.`,
  compare: (person, difference, more, noun, than) =>
    `${person.name} has ${difference} ${more ? 'more' : 'fewer'} ${noun.word} than ${than.name}.`,
  packed: (person, count, container, each, noun) =>
    `${person ? `${person.name} has` : 'There are'} ${count} ${container} with ${each} ${noun.word} in each.`,
  packedTwice: (person, first, second, noun) =>
    `${person.name} has ${first.count} ${first.container} with ${first.each} ${noun.word} in each and ` +
    `${second.count} ${second.container} with ${second.each} ${noun.word} in each.`,
  event: (person, verb, amount, noun, other, position) => {
    const pronoun = position === 0 ? person.pronoun : `Then ${person.pronoun.toLowerCase()}`
    return `${pronoun} ${verb.full(amount, noun, other)}.`
  },
  eventByName: (person, verb, amount, noun, other) => `${person.name} ${verb.full(amount, noun, other)}.`,
  step: (person, verb, amount, noun, sum) => `${person.pronoun} ${verb.short(amount, noun)}: ${sum.text}.`,
  packedStep: (person, count, container, product) =>
    `${person.pronoun} has ${count} ${container}: ${product.text}.`,
  holdsEquals: (container, product, noun) => `The ${container} hold ${product.text} ${noun.word}.`,
  together: (sum) => `Together: ${sum.text}.`,
  askHas: (person, noun) => `How many ${noun.word} does ${person.name} have?`,
  askNow: (person, noun) => `How many ${noun.word} does ${person.name} have now?`,
  askTogether: (first, second, noun) =>
    `How many ${noun.word} do ${first.name} and ${second.name} have together?`,
  think: "Let's think step by step.",
  answer: (value) => `The answer is ${value}.`,
}
