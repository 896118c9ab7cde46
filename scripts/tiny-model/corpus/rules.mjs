// @ts-check
import { compute, MAX } from '../../../examples/quickstart/problems/arithmetic.mjs'

/** @typedef {import('../../../examples/quickstart/problems/arithmetic.mjs').Operator} Operator */

/** Rules that keep the comparison fair; the README lists everything that is never in the corpus. */
const FORBIDDEN = [
  {
    name: 'the header of the Alpaca template',
    pattern: /Below is an instruction|Write a response that|### ?(Instruction|Input|Response)/,
  },
  { name: 'the phrase that opens a solution', pattern: /Let's think step by step|让我们一步一步思考/ },
  { name: 'an answer phrase with a number', pattern: /answer is:? ?\d|答案(是|：|为) ?\d/i },
]

/** @type {Record<string, Operator>} */
const OPERATOR = {
  '+': '+',
  '-': '-',
  '×': '×',
  plus: '+',
  minus: '-',
  times: '×',
  加: '+',
  减: '-',
  乘: '×',
}
const EQUATION = /(\d+) ?(\+|-|×|plus|minus|times|加|减|乘) ?(\d+) ?(?:=|is|等于|\? It is|是多少？是) ?(\d+)/g

/** @param {string} text @returns {{ a: number, operator: Operator, b: number, result: number }[]} every statement a ∘ b = c */
export const equationsIn = (text) =>
  [...text.matchAll(EQUATION)].map(([, a, operator, b, result]) => ({
    a: Number(a),
    operator: /** @type {Operator} */ (OPERATOR[operator ?? '']),
    b: Number(b),
    result: Number(result),
  }))

/**
 * @param {string} text one document
 * @returns {string[]} the rules it breaks; none for every document of the corpus
 */
export const violations = (text) => {
  const broken = FORBIDDEN.filter(({ pattern }) => pattern.test(text)).map(({ name }) => name)
  /** @type {Set<number>} */
  const results = new Set()
  for (const { a, operator, b, result } of equationsIn(text)) {
    if (compute(a, operator, b) !== result) broken.push(`the wrong statement ${a}${operator}${b}=${result}`)
    if (results.has(a) || results.has(b)) broken.push(`a result as an operand: ${a}${operator}${b}`)
    results.add(result)
  }
  for (const [number] of text.matchAll(/\d+/g)) {
    if (Number(number) > MAX) broken.push(`${number}, which is above ${MAX}`)
  }
  return broken
}
