import { IftError, mostTop } from '@ift/tensor'
import { applyTemperature, argmax, keepTopP, nucleus, softmax } from './processors.js'
import type { Random } from './random.js'
import type { Highest, StepLogits } from './step-logits.js'
import { processScores, type DecodeSettings, type LogitsTap } from './settings.js'
import { tokenLogProb } from './log-probs.js'
import type { ConstraintState } from '../contract/constraint.js'
import type { LogitsContext, TokenLogProb } from '../contract/generate.js'
import { holdTo, within as isWithin } from './constrained.js'

/** A sequence whose next token is chosen. */
export interface Choice extends LogitsContext {
  readonly settings: DecodeSettings
  readonly random: Random
  /** Ids that end it. */
  readonly ends: ReadonlySet<number>
  /** What it is held to; null where every token may come. */
  readonly constraint: ConstraintState | null
}

/** A choice, and the row of its scores. */
export interface PlacedChoice {
  readonly choice: Choice
  readonly row: number
}

/** The token that was chosen, with its log-probability where the settings ask for it. */
export interface Chosen {
  readonly id: number
  readonly logprob: TokenLogProb | null
}

/** Highest scores that are looked at for the likeliest token of a constraint. */
const likely = 64
/** Highest scores that are looked at for top-p alone. Trained models rarely spread 95 % over more tokens. */
const shortlist = 256

/**
 * The next token of every sequence: the likeliest, or one drawn with the sequence's own random numbers. Where its settings
 * concern the highest scores alone, only those leave the device; the choice is the same. What cannot be chosen (a tap fails) is the error
 * in the place of its token.
 */
export async function choose(
  scores: StepLogits,
  placed: readonly PlacedChoice[],
  tap: LogitsTap | null,
): Promise<(Chosen | { readonly error: unknown })[]> {
  const found: (Chosen | { readonly error: unknown })[] = []
  const masks = placed.map(({ choice: { constraint } }, i) => {
    try {
      return constraint?.mask() ?? null
    } catch (error) {
      found[i] = { error }
      return null
    }
  })
  const pick = (i: number, scores: Float32Array) => {
    const { choice } = placed[i]!
    const { settings } = choice
    try {
      const logprob = (id: number) => tokenLogProb(before, id, settings.logprobs!)
      const before = settings.logprobs === null ? scores : scores.slice()
      const mask = masks[i] ?? null
      if (mask !== null) holdTo(scores, mask)
      processScores(scores, choice, settings, choice.ends, tap)
      const id = settings.doSample ? choice.random.pick(softmax(scores)) : argmax(scores)
      if (mask !== null && !(scores[id]! > -Infinity)) throw noWayOn()
      found[i] = { id, logprob: settings.logprobs === null ? null : logprob(id) }
    } catch (error) {
      found[i] = { error }
    }
  }
  const whole: number[] = []
  /** Those of which the highest scores are enough, by what their sum over the vocabulary is scaled with. */
  const short = new Map<number | null, { readonly i: number; readonly count: number }[]>()
  for (const [i, { choice }] of placed.entries()) {
    if (found[i]) continue
    const { settings, ends } = choice
    const count =
      tap === null
        ? highestNeeded(settings, scores.vocab, isTooShort(choice) ? ends.size : 0, masks[i] != null)
        : null
    if (count === null) whole.push(i)
    else {
      const scale = settings.doSample && settings.topK === 0 ? 1 / settings.temperature : null
      const others = short.get(scale)
      if (others) others.push({ i, count })
      else short.set(scale, [{ i, count }])
    }
  }
  for (const [scale, group] of short) {
    const count = Math.max(...group.map(({ count }) => count))
    const highest = await scores.highest(
      count,
      scale,
      group.map(({ i }) => placed[i]!.row),
    )
    for (const [k, { i }] of group.entries()) {
      const { choice } = placed[i]!
      const { settings, random, ends } = choice
      const isOpen = (id: number) => !(isTooShort(choice) && ends.has(id)) && isWithin(masks[i] ?? null, id)
      const top = isTooShort(choice) || masks[i] !== null ? those(highest[k]!, isOpen) : highest[k]!
      const kept = settings.doSample ? candidates(top, settings, count === scores.vocab) : top
      // Equal scores, or a flat distribution, may extend beyond the scores that were read.
      if (kept === null || kept.ids.length === 0) whole.push(i)
      else {
        const id = kept.ids[settings.doSample ? random.pick(softmax(kept.scores)) : 0]!
        found[i] = { id, logprob: null }
      }
    }
  }
  // Many rows come at once.
  const all = whole.length > scores.count / 2 ? await scores.rows() : null
  for (const i of whole) {
    const { row } = placed[i]!
    pick(i, all ? all[row]! : await scores.row(row))
  }
  return found
}

const noWayOn = () =>
  new IftError(
    'IFT_CONSTRAINT',
    'No token of the vocabulary goes on with what the constraint and the settings of the request allow.',
    'Leave out noRepeatNgramSize and minNewTokens, or allow more.',
  )

const isTooShort = ({ ids, promptTokens, settings }: Choice) =>
  ids.length - promptTokens < settings.minNewTokens

/**
 * Number of highest scores that almost always suffice for the choice, of which up to `heldBack` are excluded; null
 * when every score may count.
 */
function highestNeeded(
  { doSample, topK, topP, minP, repetitionPenalty, noRepeatNgramSize, logprobs, ...settings }: DecodeSettings,
  vocab: number,
  heldBack: number,
  constrained: boolean,
): number | null {
  if (repetitionPenalty !== 1 || noRepeatNgramSize > 0 || logprobs !== null) return null
  const { presencePenalty, frequencyPenalty, logitBias } = settings
  if (presencePenalty !== 0 || frequencyPenalty !== 0 || Object.keys(logitBias).length > 0) return null
  if (doSample && minP > 0) return null
  // A model that knows what is asked of it likes what it is held to.
  if (constrained) return doSample ? null : within(vocab, likely)
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

function those({ scores, ids, logSum }: Highest, isOpen: (id: number) => boolean): Highest {
  const left = Array.from(ids.keys()).filter((i) => isOpen(ids[i]!))
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
