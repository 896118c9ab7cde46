// Each works in place on f32 scores of one sequence. Meaning and order are those of Hugging Face `generate`.

/** Divides positive and multiplies negative scores of every token that occurred (Keskar et al. 2019, arXiv:1909.05858). */
export function penalizeRepetition(scores: Float32Array, ids: readonly number[], penalty: number): void {
  for (const id of new Set(ids)) {
    const score = scores[id]!
    scores[id] = score < 0 ? score * penalty : score / penalty
  }
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
  const least = Float32Array.from(scores).sort()[scores.length - k]!
  for (let i = 0; i < scores.length; i++) if (scores[i]! < least) scores[i] = -Infinity
}

/**
 * Keeps the likeliest tokens whose probability reaches p together, and always the likeliest one (Holtzman et al. 2020,
 * arXiv:1904.09751). Sums from the unlikely end, as the reference does, so that ties fall the same way.
 */
export function keepTopP(scores: Float32Array, p: number): void {
  const order = Uint32Array.from(scores, (_, i) => i).sort((a, b) => scores[a]! - scores[b]! || a - b)
  const probabilities = softmax(scores)
  let below = 0
  for (let i = 0; i < order.length - 1; i++) {
    below += probabilities[order[i]!]!
    if (below > 1 - p) break
    scores[order[i]!] = -Infinity
  }
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
  let max = -Infinity
  for (const score of scores) if (score > max) max = score
  let sum = 0
  for (const score of scores) sum += Math.exp(score - max)
  const shift = max + Math.log(sum)
  for (let i = 0; i < scores.length; i++) scores[i]! -= shift
}

/** Index of the highest score, the first of equals. */
export function argmax(scores: ArrayLike<number>): number {
  let best = 0
  for (let i = 1; i < scores.length; i++) if (scores[i]! > scores[best]!) best = i
  return best
}
