// @ts-check
import { equation, MAX } from '../../../examples/quickstart/problems/arithmetic.mjs'

/** @typedef {import('../../../examples/quickstart/problems/random.mjs').Random} Random */
/** @typedef {import('../../../examples/quickstart/problems/arithmetic.mjs').Equation} Equation */
/** @typedef {import('../../../examples/quickstart/problems/arithmetic.mjs').Operator} Operator */

/** @type {readonly (readonly [number, Operator])[]} */
const OPERATORS = [
  [45, '+'],
  [40, '-'],
  [15, '×'],
]

/** @param {Random} random @returns {Equation} sums and differences uniform over all pairs; factors 2..12 */
export const drawFact = (random) => {
  const operator = random.weighted(OPERATORS)
  const [low, high] = operator === '×' ? [2, 12] : [0, MAX]
  for (;;) {
    const [a, b] = [random.int(low, high), random.int(low, high)]
    const allowed = operator === '+' ? a + b <= MAX : operator === '-' ? a >= b : a * b <= MAX
    if (allowed) return equation(a, operator, b)
  }
}

/**
 * Facts that have nothing to do with each other: no result is an operand further on.
 * @param {Random} random @param {number} count @returns {Equation[]}
 */
export const drawFacts = (random, count) => {
  /** @type {Equation[]} */
  const facts = []
  /** @type {Set<number>} */
  const results = new Set()
  while (facts.length < count) {
    const fact = drawFact(random)
    if (results.has(fact.a) || results.has(fact.b)) continue
    results.add(fact.result)
    facts.push(fact)
  }
  return facts
}

const ENGLISH_WORD = { '+': 'plus', '-': 'minus', '×': 'times' }
const CHINESE_WORD = { '+': '加', '-': '减', '×': '乘' }

/** One phrasing per document. @type {readonly { between: string, say: (fact: Equation) => string }[]} */
const PHRASINGS = [
  { between: '\n', say: (fact) => fact.text },
  { between: ' ', say: (fact) => `${fact.text}.` },
  { between: '', say: (fact) => `${fact.text}。` },
  { between: ' ', say: (fact) => `${fact.a} ${ENGLISH_WORD[fact.operator]} ${fact.b} is ${fact.result}.` },
  {
    between: ' ',
    say: (fact) => `What is ${fact.a} ${ENGLISH_WORD[fact.operator]} ${fact.b}? It is ${fact.result}.`,
  },
  { between: '', say: (fact) => `${fact.a}${CHINESE_WORD[fact.operator]}${fact.b}等于${fact.result}。` },
  {
    between: '',
    say: (fact) => `${fact.a}${CHINESE_WORD[fact.operator]}${fact.b}是多少？是${fact.result}。`,
  },
]

/** 2–9 facts in one phrasing. @param {Random} random @returns {string} */
export const facts = (random) => {
  const { between, say } = random.pick(PHRASINGS)
  return drawFacts(random, random.int(2, 9)).map(say).join(between)
}

/** 3–10 bare equations. @param {Random} random @returns {string} */
export const bareFacts = (random) =>
  drawFacts(random, random.int(3, 10))
    .map((fact) => `${fact.text}.`)
    .join(' ')
