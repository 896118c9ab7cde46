// @ts-check

/** Every number of the corpus and of the problems lies in 0..MAX, results too. */
export const MAX = 120

/** @typedef {'+' | '-' | '×'} Operator */
/** @typedef {{ a: number, operator: Operator, b: number, result: number, text: string }} Equation */

/** @param {number} a @param {Operator} operator @param {number} b @returns {number} */
export const compute = (a, operator, b) => (operator === '+' ? a + b : operator === '-' ? a - b : a * b)

/**
 * @param {number} a @param {Operator} operator @param {number} b
 * @returns {Equation} with its text `a+b=c`, without spaces: a space before a digit costs a token
 * @throws {RangeError} when the result is outside 0..MAX
 */
export const equation = (a, operator, b) => {
  const result = compute(a, operator, b)
  if (result < 0 || result > MAX) throw new RangeError(`${a}${operator}${b}=${result} is outside 0..${MAX}`)
  return { a, operator, b, result, text: `${a}${operator}${b}=${result}` }
}
