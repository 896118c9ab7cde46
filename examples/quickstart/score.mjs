// @ts-check

const NUMBER = /-?\d+(?:\.\d+)?/g
const ANSWER = /(?:The answer is|答案是)\s*[:：]?\s*(-?\d+(?:\.\d+)?)/g

/**
 * The number that an output gives: the one after the last "The answer is" or "答案是", else the last number in it.
 * Thousands separators are dropped first.
 *
 * @param {string} output @returns {number | undefined} undefined without any number
 */
export const answerIn = (output) => {
  const text = output.replace(/(?<=\d),(?=\d{3}(?!\d))/g, '')
  const stated = [...text.matchAll(ANSWER)].at(-1)?.[1]
  // A minus between digits is an operator: "12-5" ends in 5.
  const last = [...text.matchAll(NUMBER)].at(-1)
  const found = stated ?? (last && text[last.index - 1]?.match(/\d/) ? last[0].replace('-', '') : last?.[0])
  return found === undefined ? undefined : Number(found)
}

/** @param {string} output @returns {boolean} whether the output has the answer phrase with a number */
export const statesAnswer = (output) => output.search(ANSWER) !== -1

/**
 * @typedef {{ correct: number, total: number }} Tally
 * @typedef {{ answer: number, kind: string, language: string, steps: number }} Reference
 */

/** @param {Tally} tally @returns {number} 0..1; 0 for none */
export const accuracy = ({ correct, total }) => (total === 0 ? 0 : correct / total)

/**
 * Exact match over all problems and by kind, language and number of steps.
 *
 * @param {readonly Reference[]} references @param {readonly string[]} outputs in the same order
 * @returns {{ all: Tally, stated: Tally, kind: Record<string, Tally>, language: Record<string, Tally>, steps: Record<string, Tally> }}
 * stated: outputs that have the answer phrase, right or wrong
 */
export const score = (references, outputs) => {
  if (references.length !== outputs.length) {
    throw new RangeError(`${outputs.length} outputs for ${references.length} problems`)
  }
  /** @type {ReturnType<typeof score>} */
  const result = {
    all: { correct: 0, total: 0 },
    stated: { correct: 0, total: 0 },
    kind: {},
    language: {},
    steps: {},
  }
  references.forEach((reference, i) => {
    const output = outputs[i] ?? ''
    const correct = answerIn(output) === reference.answer
    const tallies = [
      result.all,
      (result.kind[reference.kind] ??= { correct: 0, total: 0 }),
      (result.language[reference.language] ??= { correct: 0, total: 0 }),
      (result.steps[String(reference.steps)] ??= { correct: 0, total: 0 }),
    ]
    for (const tally of tallies) {
      tally.total++
      if (correct) tally.correct++
    }
    result.stated.total++
    if (statesAnswer(output)) result.stated.correct++
  })
  return result
}
