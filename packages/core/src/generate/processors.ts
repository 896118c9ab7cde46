// Each works in place on f32 scores of one sequence. Meaning and order are those of Hugging Face `generate`.

/** Divides positive and multiplies negative scores of every token that occurred (Keskar et al. 2019, arXiv:1909.05858). */
export function penalizeRepetition(scores: Float32Array, ids: readonly number[], penalty: number): void {
  for (const id of new Set(ids)) {
    const score = scores[id]!
    scores[id] = score < 0 ? score * penalty : score / penalty
  }
}

/** Takes `frequencyPenalty` from a score for each time that the token was generated, and `presencePenalty` once (OpenAI). */
export function addPenalties(
  scores: Float32Array,
  generated: readonly number[],
  penalties: { readonly presencePenalty: number; readonly frequencyPenalty: number },
): void {
  const { presencePenalty, frequencyPenalty } = penalties
  if (presencePenalty === 0 && frequencyPenalty === 0) return
  const counts = new Map<number, number>()
  for (const id of generated) counts.set(id, (counts.get(id) ?? 0) + 1)
  for (const [id, count] of counts) scores[id]! -= presencePenalty + frequencyPenalty * count
}

/** Adds to scores, by their ids; ids that the model has not are left out. */
export function addBias(scores: Float32Array, bias: Readonly<Record<number, number>>): void {
  for (const [id, value] of Object.entries(bias)) if (Number(id) < scores.length) scores[Number(id)]! += value
}

/** Keeps tokens that have at least this share of the probability of the likeliest one (Nguyen et al. 2024, arXiv:2407.01082). */
export function keepMinP(scores: Float32Array, p: number): void {
  let highest = -Infinity
  for (const score of scores) if (score > highest) highest = score
  const least = Math.fround(highest + Math.log(p))
  for (let i = 0; i < scores.length; i++) if (scores[i]! < least) scores[i] = -Infinity
}

/** Forbids every token that would complete an n-gram that occurred before, prompt included. */
export function forbidRepeatedNgrams(scores: Float32Array, ids: readonly number[], size: number): void {
  const start = ids.length - (size - 1)
  if (start < 0) return
  for (let i = 0; i + size <= ids.length; i++) {
    let same = true
    for (let k = 0; k < size - 1 && same; k++) same = ids[i + k] === ids[start + k]
    if (same) scores[ids[i + size - 1]!] = -Infinity
  }
}

/** Divides all scores. */
export function applyTemperature(scores: Float32Array, temperature: number): void {
  for (let i = 0; i < scores.length; i++) scores[i]! /= temperature
}

/** Keeps the k highest scores, and those equal to the k-th. */
export function keepTopK(scores: Float32Array, k: number): void {
  if (k >= scores.length) return
  const least = scores[topIndices(scores, k).at(-1)!]!
  for (let i = 0; i < scores.length; i++) if (scores[i]! < least) scores[i] = -Infinity
}

/**
 * Keeps the likeliest tokens whose probability reaches p together, and always the likeliest one (Holtzman et al. 2020,
 * arXiv:1904.09751). Of equal ones the last are kept, as the reference does.
 */
export function keepTopP(scores: Float32Array, p: number): void {
  const logTotal = logSumExp(scores)
  // Tokens below this share of the removed probability are removed together, so few remain to be sorted.
  const least = logTotal + Math.log((1 - p) / scores.length)
  const likely = scores
    .filter((score) => score >= least)
    .sort()
    .reverse()
  const count = nucleus(likely, logTotal, p)
  const lowest = likely[count - 1]!
  let room = count - likely.indexOf(lowest)
  for (let i = scores.length - 1; i >= 0; i--)
    if (scores[i]! < lowest || (scores[i] === lowest && room-- <= 0)) scores[i] = -Infinity
}

/**
 * How many of `scores`, highest first, have the probability p together, all of them when they do not reach it. `logTotal`
 * is log Σ exp over the whole vocabulary.
 */
export function nucleus(scores: Float32Array, logTotal: number, p: number): number {
  let held = 0
  let count = 0
  while (count < scores.length && held < p) held += Math.exp(scores[count++]! - logTotal)
  return count
}

/** Probabilities of scores; -Infinity is 0. */
export function softmax(scores: Float32Array): Float64Array {
  let max = -Infinity
  for (const score of scores) if (score > max) max = score
  const out = new Float64Array(scores.length)
  let sum = 0
  for (let i = 0; i < scores.length; i++) sum += out[i] = Math.exp(scores[i]! - max)
  for (let i = 0; i < out.length; i++) out[i]! /= sum
  return out
}

/** Scores to log-probabilities, in place. */
export function logSoftmax(scores: Float32Array): void {
  const shift = logSumExp(scores)
  for (let i = 0; i < scores.length; i++) scores[i]! -= shift
}

function logSumExp(scores: Float32Array): number {
  let max = -Infinity
  for (const score of scores) if (score > max) max = score
  let sum = 0
  for (const score of scores) sum += Math.exp(score - max)
  return max + Math.log(sum)
}

/** Index of the highest score, the first of equals. */
export function argmax(scores: ArrayLike<number>): number {
  let best = 0
  for (let i = 1; i < scores.length; i++) if (scores[i]! > scores[best]!) best = i
  return best
}

/** Indices of the highest values, highest first; the first of equals wins. */
export function topIndices(values: Float32Array, count: number): number[] {
  const top: number[] = []
  let least = -Infinity
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!
    if (top.length === count && value <= least) continue
    let at = top.length
    while (at > 0 && values[top[at - 1]!]! < value) at--
    top.splice(at, 0, i)
    if (top.length > count) top.pop()
    least = values[top.at(-1)!]!
  }
  return top
}
