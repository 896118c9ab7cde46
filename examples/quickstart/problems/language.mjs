// @ts-check

/** @typedef {import('./vocabulary.mjs').Person} Person */
/** @typedef {import('./vocabulary.mjs').Noun} Noun */
/** @typedef {import('./arithmetic.mjs').Equation} Equation */

/**
 * What a person does with things. `full` is the sentence in a problem, `short` the same in a retelling or a solution.
 * @typedef {{
 *   sign: '+' | '-',
 *   made: boolean,
 *   full: (amount: number, noun: Noun, other: Person) => string,
 *   byName?: (person: Person, amount: number, noun: Noun, other: Person) => string,
 *   short: (amount: number, noun: Noun) => string,
 * }} Verb
 * `made`: for things that a person makes. `other` is a second person that some verbs name. `byName`: the sentence with
 * the person in it, where that is not the name before `full`.
 */

/**
 * The sentences that problems and corpus share, in one language. Every function returns whole sentences with their
 * full stop, but `step`, which an equation follows.
 * @typedef {{
 *   code: 'en' | 'zh',
 *   gap: string,
 *   stop: string,
 *   people: readonly Person[],
 *   nouns: readonly Noun[],
 *   containers: readonly string[],
 *   places: readonly string[],
 *   verbs: readonly Verb[],
 *   has: (person: Person, amount: number, noun: Noun) => string,
 *   hasNow: (person: Person, amount: number | string, noun: Noun) => string,
 *   hasEquals: (person: Person, sum: Equation, noun: Noun) => string,
 *   compare: (person: Person, difference: number, more: boolean, noun: Noun, than: Person) => string,
 *   packed: (person: Person | undefined, count: number, container: string, each: number, noun: Noun) => string,
 *   packedTwice: (person: Person, first: Packing, second: Packing, noun: Noun) => string,
 *   event: (person: Person, verb: Verb, amount: number, noun: Noun, other: Person, position: number) => string,
 *   eventByName: (person: Person, verb: Verb, amount: number, noun: Noun, other: Person) => string,
 *   step: (person: Person, verb: Verb, amount: number, noun: Noun, sum: Equation) => string,
 *   packedStep: (person: Person, count: number, container: string, product: Equation) => string,
 *   holdsEquals: (container: string, product: Equation, noun: Noun) => string,
 *   together: (sum: Equation, noun: Noun) => string,
 *   askHas: (person: Person, noun: Noun) => string,
 *   askNow: (person: Person, noun: Noun) => string,
 *   askTogether: (first: Person, second: Person, noun: Noun) => string,
 *   think: string,
 *   answer: (value: number) => string,
 * }} Language
 */

/** @typedef {{ count: number, container: string, each: number }} Packing */

/**
 * @param {Language} language @param {readonly string[]} sentences
 * @returns {string} the sentences as running text
 */
export const join = (language, sentences) => sentences.join(language.gap)

/**
 * @param {import('./random.mjs').Random} random @param {Language} language @param {number} stock @param {Noun} noun
 * @returns {{ verb: Verb, amount: number, sign: '+' | '-' }} an event that keeps the stock in 0..120: up or down by a
 * coin toss, up when little is left; amounts 2..40
 */
export const drawEvent = (random, language, stock, noun) => {
  const up = stock < 6 || (stock <= 118 && random.chance(0.5))
  const sign = up ? '+' : '-'
  const verbs = language.verbs.filter((verb) => verb.sign === sign && (noun.made || !verb.made))
  return { verb: random.pick(verbs), amount: random.int(2, Math.min(40, up ? 120 - stock : stock)), sign }
}
