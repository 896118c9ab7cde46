import { IftError, type PagedLayout, type Tensor } from '@ift/tensor'
import type { StepLogits } from './step-logits.js'

/** New tokens of one cached sequence. */
export interface Feed {
  readonly sequence: number
  readonly ids: readonly number[]
  /**
   * What is asked of them: the scores of the token behind the last (when omitted), nothing, or log-probabilities of these ids, one
   * behind each of the tokens.
   */
  readonly wanted?: 'next' | 'nothing' | readonly number[]
}

/** What a pass gives; all of it is valid until it is released or tokens are fed again. */
export interface Fed {
  /** Scores of the next token, for the feeds that want them in their order; null where none does. */
  readonly scores: StepLogits | null
  /** For the feeds that want log-probabilities, in their order: natural logarithms, one a token fed. */
  logProbs(): Promise<Float32Array[]>
  release(): void
}

/** Rows of a pass whose hidden states are wanted. */
export interface OutputRows {
  /** Those for scores, then those for log-probabilities. */
  readonly rows: readonly number[]
  /** The number of the former. */
  readonly scored: number
  /** Ids whose log-probabilities are wanted, for the latter. */
  readonly targets: readonly number[]
}

/** Whether a feed wants this. */
export const wants = ({ wanted = 'next' }: Feed, what: 'next' | 'nothing'): boolean => wanted === what

/** The rows of each sequence that its feed wants to know about. */
export function outputOf(feeds: readonly Feed[], { rows: counts }: PagedLayout): OutputRows {
  const [scored, others, targets]: number[][] = [[], [], []]
  let end = 0
  for (const [i, feed] of feeds.entries()) {
    end += counts[i]!
    const { wanted = 'next', ids } = feed
    if (wanted === 'next') scored!.push(end - 1)
    else if (wanted !== 'nothing') {
      if (wanted.length !== ids.length)
        throw new IftError(
          'IFT_ARGUMENT',
          `Decoder: log-probabilities expected one for each of ${ids.length} tokens, found ${wanted.length}`,
        )
      for (let row = end - ids.length; row < end; row++) others!.push(row)
      targets!.push(...wanted)
    }
  }
  return { rows: [...scored!, ...others!], scored: scored!.length, targets: targets! }
}

/** Log-probabilities for the feeds that want them; `parts` have them in the order `of`. */
export async function readInOrder(
  parts: readonly Tensor[],
  of: readonly number[],
  feeds: readonly Feed[],
): Promise<Float32Array[]> {
  const all = await Promise.all(parts.map((part) => part.read()))
  const values = all.flatMap((part) => [...part])
  const found = new Map<number, Float32Array>()
  let at = 0
  for (const i of of) {
    const { wanted } = feeds[i]!
    if (typeof wanted !== 'object') continue
    found.set(i, Float32Array.from(values.slice(at, (at += wanted.length))))
  }
  return [...found.keys()].sort((a, b) => a - b).map((i) => found.get(i)!)
}
