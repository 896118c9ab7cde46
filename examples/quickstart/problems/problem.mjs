// @ts-check
import { chinese } from './chinese.mjs'
import { drawComparison } from './comparison.mjs'
import { drawContainers } from './containers.mjs'
import { english } from './english.mjs'
import { Random } from './random.mjs'
import { drawRunningTotal } from './running-total.mjs'
import { drawTwoContainers } from './two-containers.mjs'
import { heldOutPeople, trainingPeople } from './vocabulary.mjs'

/** @typedef {'R' | 'C' | 'B' | 'D'} Kind */
/** @typedef {'train' | 'test'} Split */
/**
 * `solution`: the sentences between "Let's think step by step." and the answer. `numbers`: those of the question in
 * its order, which decide the split.
 * @typedef {{
 *   kind: Kind,
 *   language: 'en' | 'zh',
 *   steps: number,
 *   question: string,
 *   solution: readonly string[],
 *   equations: readonly import('./arithmetic.mjs').Equation[],
 *   numbers: readonly number[],
 *   answer: number,
 * }} Problem
 */
/**
 * @typedef {{
 *   random: Random,
 *   language: import('./language.mjs').Language,
 *   people: readonly import('./vocabulary.mjs').Person[],
 *   steps: number,
 * }} Draw
 */
/** @typedef {{ instruction: string, input: string, output: string }} Row */

const LANGUAGES = { en: english, zh: chinese }

/** Shares of the kinds. B and D, the hard ones, come as often as R. @type {readonly (readonly [number, Kind])[]} */
const KINDS = [
  [3, 'R'],
  [2, 'C'],
  [3, 'B'],
  [3, 'D'],
]
const STEPS = [2, 3, 3, 4, 4]
/** Two products and their sum are three steps already. */
const STEPS_OF_TWO_CONTAINERS = [3, 4]
const CHINESE_SHARE = 0.4
const TEST_SHARE = 8

/**
 * @param {readonly number[]} numbers
 * @returns {Split} test for one tuple of numbers in eight, whatever the names, things and language around them
 */
export const splitOf = (numbers) => {
  let hash = 0x811c9dc5
  for (const number of numbers) hash = Math.imul(hash ^ number, 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 15), 0x735a2d97)
  return ((hash ^ (hash >>> 15)) >>> 0) % TEST_SHARE === 0 ? 'test' : 'train'
}

/** @param {Kind} kind @param {Draw} draw */
const drawKind = (kind, draw) => {
  switch (kind) {
    case 'R':
      return drawRunningTotal(draw)
    case 'C':
      return drawContainers(draw)
    case 'B':
      return drawComparison(draw)
    case 'D':
      return drawTwoContainers(draw)
  }
}

/**
 * Draws problems of one split. Training and test share no tuple of numbers and no name, so no text either.
 *
 * @param {{ seed: number, count: number, split: Split, kinds?: readonly Kind[] }} options kinds: only these
 * @returns {Problem[]} with distinct questions
 */
export const drawProblems = ({ seed, count, split, kinds }) => {
  const random = new Random(seed)
  const choices = KINDS.filter(([, kind]) => kinds?.includes(kind) ?? true)
  /** @type {Map<string, Problem>} */
  const problems = new Map()
  while (problems.size < count) {
    // The kind, language and length stay while numbers are drawn again, so that rejections do not shift the shares.
    const kind = random.weighted(choices)
    const language = LANGUAGES[random.chance(CHINESE_SHARE) ? 'zh' : 'en']
    const steps = random.pick(kind === 'D' ? STEPS_OF_TWO_CONTAINERS : STEPS)
    const people = (split === 'test' ? heldOutPeople : trainingPeople)(language.people)
    for (;;) {
      const problem = drawKind(kind, { random, language, people, steps })
      if (!problem || splitOf(problem.numbers) !== split || problems.has(problem.question)) continue
      problems.set(problem.question, problem)
      break
    }
  }
  return [...problems.values()]
}

/** @param {Problem} problem @returns {Row} with its steps before the answer */
export const withSteps = (problem) => {
  const language = LANGUAGES[problem.language]
  const output = [language.think, ...problem.solution, language.answer(problem.answer)].join(language.gap)
  return { instruction: problem.question, input: '', output }
}

/** @param {Problem} problem @returns {Row} with the answer alone */
export const answerOnly = (problem) => ({
  instruction: problem.question,
  input: '',
  output: LANGUAGES[problem.language].answer(problem.answer),
})
