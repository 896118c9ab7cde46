import { mostTop } from '@ift/tensor'
import { applyTemperature, argmax, keepTopP, nucleus, softmax } from './processors.js'
import type { Random } from './random.js'
import type { Highest, StepLogits } from './step-logits.js'
import { processScores, type DecodeSettings, type LogitsTap } from './settings.js'
import type { LogitsContext } from '../contract/generate.js'

/** A sequence whose next token is chosen. */
export interface Choice extends LogitsContext {
  readonly random: Random
}

/** Highest scores that are looked at for top-p alone. Trained models rarely spread 95 % over more tokens. */
const shortlist = 256

/**
 * The next token of every sequence: the likeliest, or one drawn with the sequence's own random numbers. Where the settings
 * concern the highest scores alone, only those leave the device; the choice is the same.
 */
export async function choose(
  scores: StepLogits,
  choices: readonly Choice[],
  settings: DecodeSettings,
  ends: ReadonlySet<number>,
  tap: LogitsTap | null,
): Promise<number[]> {
  const { doSample, topK, temperature, minNewTokens } = settings
  const pick = (choice: Choice, row: Float32Array) => {
    processScores(row, choice, settings, ends, tap)
    return doSample ? choice.random.pick(softmax(row)) : argmax(row)
  }
  const tooShort = ({ ids, promptTokens }: Choice) => ids.length - promptTokens < minNewTokens
  const heldBack = choices.some(tooShort) ? ends.size : 0
  const count = tap === null ? highestNeeded(settings, scores.vocab, heldBack) : null
  if (count === null) {
    const rows = await scores.rows()
    return choices.map((choice, i) => pick(choice, rows[i]!))
  }
  const highest = await scores.highest(count, doSample && topK === 0 ? 1 / temperature : null)
  const chosen: number[] = []
  for (const [i, choice] of choices.entries()) {
    const found = tooShort(choice) ? without(highest[i]!, ends) : highest[i]!
    const kept = doSample ? candidates(found, settings, count === scores.vocab) : found
    // Equal scores, or a flat distribution, may extend beyond the scores that were read.
    if (kept === null) chosen.push(pick(choice, await scores.row(i)))
    else chosen.push(kept.ids[doSample ? choice.random.pick(softmax(kept.scores)) : 0]!)
  }
  return chosen
}

/**
 * Number of highest scores that almost always suffice for the choice, of which up to `heldBack` are excluded; null
 * when every score may count.
 */
function highestNeeded(
  { doSample, topK, topP, repetitionPenalty, noRepeatNgramSize }: DecodeSettings,
  vocab: number,
  heldBack: number,
): number | null {
  if (repetitionPenalty !== 1 || noRepeatNgramSize > 0) return null
  if (!doSample) return Math.min(vocab, 1 + heldBack)
  // As many again, for those that are equal to the k-th.
  if (topK > 0) return within(vocab, 2 * topK + heldBack)
  // Excluded tokens are part of the sum over the vocabulary.
  return topP < 1 && heldBack === 0 ? within(vocab, shortlist) : null
}

/** `count`, at most the vocabulary; null when a device cannot find so many. */
function within(vocab: number, count: number): number | null {
  const wanted = Math.min(vocab, count)
  return wanted <= mostTop ? wanted : null
}

function without({ scores, ids, logSum }: Highest, ends: ReadonlySet<number>): Highest {
  const left = Array.from(ids.keys()).filter((i) => !ends.has(ids[i]!))
  return { scores: scoresAt(scores, left), ids: idsAt(ids, left), logSum }
}

const idsAt = (ids: Int32Array, places: readonly number[]) => Int32Array.from(places, (i) => ids[i]!)
const scoresAt = (scores: Float32Array, places: readonly number[]) =>
  Float32Array.from(places, (i) => scores[i]!)

/** Tokens that may be drawn, with their scores, in the order of the vocabulary. */
interface Candidates {
  readonly ids: Int32Array
  readonly scores: Float32Array
}

/** Candidates after temperature, top-k and top-p; null when they depend on scores that were not read. */
function candidates(
  { scores: highest, ids, logSum }: Highest,
  { temperature, topK, topP }: DecodeSettings,
  all: boolean,
): Candidates | null {
  const scores = Float32Array.from(highest)
  if (temperature !== 1) applyTemperature(scores, temperature)
  const last = scores.at(-1)!
  const least = topK > 0 ? scores[Math.min(topK, scores.length) - 1]! : null
  if (least !== null) {
    if (!all && least === last) return null
    const kept = inOrder(ids, scores, (place) => scores[place]! >= least)
    if (topP < 1) keepTopP(kept.scores, topP)
    return kept
  }
  const count = nucleus(scores, logSum!, topP)
  const lowest = scores[count - 1]!
  if (!all && lowest === last) return null
  // Of equal ones top-p keeps the last.
  const [first, end] = [scores.indexOf(lowest), scores.lastIndexOf(lowest) + 1]
  return inOrder(ids, scores, (place) => place < first || (place >= end - (count - first) && place < end))
}

function inOrder(ids: Int32Array, scores: Float32Array, kept: (place: number) => boolean): Candidates {
  const places = Array.from(ids.keys())
    .filter(kept)
    .sort((a, b) => ids[a]! - ids[b]!)
  return { ids: idsAt(ids, places), scores: scoresAt(scores, places) }
}
