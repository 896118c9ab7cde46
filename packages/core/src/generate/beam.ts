import { logSoftmax, softmax, topIndices } from './processors.js'
import type { Random } from './random.js'

/** A sequence that is still growing. */
export interface Beam {
  readonly ids: readonly number[]
  /** Sum of log-probabilities of the generated tokens. */
  readonly score: number
  /** Index of the beam of the step before that it grew from. */
  readonly parent: number
}

interface Finished {
  readonly ids: readonly number[]
  /** Sum of log-probabilities divided by length^lengthPenalty. */
  readonly score: number
}

export interface BeamSettings {
  readonly numBeams: number
  readonly lengthPenalty: number
  readonly earlyStopping: boolean
  readonly maxNewTokens: number
  readonly doSample: boolean
}

/** Stands for "no such beam": far below any sum of log-probabilities, yet finite so that sums stay ordered. */
const absent = -1e9

/**
 * Beam search over one prompt with the selection rules of Hugging Face `generate`: of max(2, 1 + end tokens) · numBeams
 * candidates the best numBeams may finish, the best unfinished numBeams go on; the search ends when no running beam can
 * beat the worst finished one at its present length. With doSample candidates are drawn without replacement.
 */
export class BeamSearch {
  #beams: Beam[]
  #finished: Finished[] = []
  #improvable = true
  #allHit = false
  readonly #promptTokens: number

  constructor(
    prompt: readonly number[],
    readonly settings: BeamSettings,
    readonly ends: ReadonlySet<number>,
    readonly random: Random,
  ) {
    this.#promptTokens = prompt.length
    this.#beams = Array.from({ length: settings.numBeams }, (_, i) => ({
      ids: prompt,
      score: i ? absent : 0,
      parent: i,
    }))
  }

  get beams(): readonly Beam[] {
    return this.#beams
  }

  /** Whether the search is over. */
  get done(): boolean {
    const { numBeams, earlyStopping } = this.settings
    const full = this.#finished.length === numBeams
    return !this.#improvable || (full && earlyStopping) || this.#allHit
  }

  /**
   * One step: `scores` hold the next token's scores of every beam, f32 [vocab] each; `process` runs on their
   * log-probabilities in place.
   */
  advance(
    scores: readonly Float32Array[],
    process: (scores: Float32Array, ids: readonly number[]) => void,
  ): void {
    const { numBeams, lengthPenalty, earlyStopping, maxNewTokens } = this.settings
    const vocab = scores[0]!.length
    const accumulated = new Float32Array(numBeams * vocab)
    for (const [i, beam] of this.#beams.entries()) {
      const row = scores[i]!
      logSoftmax(row)
      process(row, beam.ids)
      for (let token = 0; token < vocab; token++)
        accumulated[i * vocab + token] = Math.fround(row[token]! + beam.score)
    }
    const count = Math.max(2, 1 + this.ends.size) * numBeams
    const chosen = this.settings.doSample ? this.#draw(accumulated, count) : topIndices(accumulated, count)
    const length = this.#beams[0]!.ids.length - this.#promptTokens + 1
    const candidates = chosen.map((index) => {
      const parent = Math.floor(index / vocab)
      const token = index % vocab
      return {
        parent,
        ids: [...this.#beams[parent]!.ids, token],
        score: accumulated[index]!,
        ended: this.ends.has(token) || length >= maxNewTokens,
      }
    })
    this.#allHit = candidates.every(({ ended }) => ended)

    const canFinish = this.#improvable && !(this.#finished.length === numBeams && earlyStopping)
    if (canFinish) {
      const news = candidates
        .slice(0, numBeams)
        .filter(({ ended, score }) => ended && score > absent / 2)
        .map(({ ids, score }) => ({ ids, score: score / length ** lengthPenalty }))
      this.#finished = [...this.#finished, ...news].sort((a, b) => b.score - a.score).slice(0, numBeams)
    }
    this.#beams = candidates
      .map((candidate) => (candidate.ended ? { ...candidate, score: candidate.score + absent } : candidate))
      .sort((a, b) => b.score - a.score)
      .slice(0, numBeams)
      .map(({ ids, score, parent }) => ({ ids, score, parent }))

    // The worst finished score counts as absent while there are fewer than numBeams.
    const worst = this.#finished.length === numBeams ? this.#finished.at(-1)!.score : absent
    this.#improvable &&= this.#beams[0]!.score / length ** lengthPenalty > worst
  }

  #draw(accumulated: Float32Array, count: number): number[] {
    const weights = softmax(accumulated)
    const drawn: number[] = []
    while (drawn.length < count) {
      const index = this.random.pick(weights)
      if (weights[index] === 0) break
      weights[index] = 0
      drawn.push(index)
    }
    return drawn
  }

  /** The best finished sequence, or the best running one when none finished. */
  best(): readonly number[] {
    return (this.#finished[0] ?? this.#beams[0]!).ids
  }
}
