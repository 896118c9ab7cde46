// @ts-check
import { chinese } from '../../../examples/quickstart/problems/chinese.mjs'
import { english } from '../../../examples/quickstart/problems/english.mjs'
import { Random } from '../../../examples/quickstart/problems/random.mjs'
import { again, LEXICON, listEntries, recall } from './copying.mjs'
import { comparing, counting } from './counting.mjs'
import { bareFacts, facts } from './facts.mjs'
import { oneStep } from './one-step.mjs'
import { retell } from './retell.mjs'
import { violations } from './rules.mjs'
import { sentences } from './sentences.mjs'

/** @typedef {'facts' | 'facts0' | 'one_en' | 'one_zh' | 'retell' | 'again' | 'recall' | 'copy' | 'comp' | 'count' | 'sent'} Kind */
/** @typedef {{ kind: Kind, text: string }} Document */

/**
 * Shares of the documents in per cent, at one point of the run. Repetition (`again`) teaches copying early and would
 * teach repeating at once later, so its share falls; facts take what it leaves.
 * @param {number} progress 0..1 of the run @returns {readonly (readonly [number, Kind])[]}
 */
export const shares = (progress) => [
  [progress < 0.5 ? 10 : 18, 'facts'],
  [8, 'facts0'],
  [21, 'one_en'],
  [17, 'one_zh'],
  [14, 'retell'],
  [progress < 0.5 ? 13 : 5, 'again'],
  [9, 'recall'],
  [2, 'copy'],
  [1.5, 'comp'],
  [1.5, 'count'],
  [3, 'sent'],
]

/** Documents whose equations keep spaces (`5 + 3 = 8`). */
const SPACED = 0.08
const RETOLD_IN_CHINESE = 0.42

/**
 * @param {Random} random @param {Kind} kind @param {import('./copying.mjs').Words} words @param {number} progress
 * @returns {string}
 */
const draw = (random, kind, words, progress) => {
  switch (kind) {
    case 'facts':
      return facts(random)
    case 'facts0':
      return bareFacts(random)
    case 'one_en':
      return oneStep(random, english)
    case 'one_zh':
      return oneStep(random, chinese)
    case 'retell':
      return retell(random, random.chance(RETOLD_IN_CHINESE) ? chinese : english)
    case 'again':
      return again(random, words, progress)
    case 'recall':
      return recall(random)
    case 'copy':
      return listEntries(random)
    case 'comp':
      return comparing(random)
    case 'count':
      return counting(random)
    case 'sent':
      return sentences(random)
  }
}

/**
 * The documents of a run, the same for the same seed.
 *
 * @param {{ seed: number, words?: import('./copying.mjs').Words }} options words: what `again` repeats beside names and nouns
 * @returns {(progress: number) => Document} the next document, for a point 0..1 of the run
 * @throws {Error} when a document breaks a rule of the corpus
 */
export const documents = ({ seed, words = LEXICON }) => {
  const random = new Random(seed)
  return (progress) => {
    const kind = random.weighted(shares(progress))
    const tight = draw(random, kind, words, progress)
    const text = random.chance(SPACED) ? tight.replace(/(?<=\d)[+\-×=](?=\d)/g, ' $& ') : tight
    const broken = violations(text)
    if (broken.length > 0) throw new Error(`a ${kind} document has ${broken.join(', ')}: ${text}`)
    return { kind, text }
  }
}
