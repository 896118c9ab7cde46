import { IftError, type PagedLayout, type Tensor, type TopEntries } from '@ift/tensor'
import type { LogProb } from '../contract/generate.js'
import type { StepLogits } from './step-logits.js'

/** New tokens of one cached sequence. */
export interface Feed {
  readonly sequence: number
  readonly ids: readonly number[]
  /** What is asked of them: the scores of the token behind the last when omitted. */
  readonly wanted?: Wanted
}

/** The scores of the token behind the last; nothing; or log-probabilities. */
export type Wanted = 'next' | 'nothing' | WantedLogProbs

/** Log-probabilities of ids, one behind each of the tokens, but for the last where its next scores are wanted. */
export interface WantedLogProbs {
  readonly ids: readonly number[]
  /** Behind which of the tokens each id stands, where that is not one behind each; several may stand behind one. */
  readonly places?: readonly number[]
  /** Likeliest ids in the place of each, with theirs. */
  readonly top: number
  /** Whether the scores behind the last token are wanted too. */
  readonly next: boolean
}

/** Natural logarithms of probabilities behind tokens, and the likeliest ids in the place of each, highest first. */
export interface FedLogProbs {
  /** f32 [n] */
  readonly logProbs: Float32Array
  /** [n], of `top` each. */
  readonly top: readonly (readonly LogProb[])[]
}

/** What a pass gives; all of it is valid until it is released or tokens are fed again. */
export interface Fed {
  /** Scores of the next token, for the feeds that want them in their order; null where none does. */
  readonly scores: StepLogits | null
  /** For the feeds that want log-probabilities, in their order. */
  logProbs(): Promise<FedLogProbs[]>
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
  /** Likeliest ids in the places of the latter: the most that a feed wants. */
  readonly top: number
}

/** Whether the scores behind the last token of a feed are wanted. */
export const wantsNext = ({ wanted = 'next' }: Pick<Feed, 'wanted'>): boolean =>
  wanted === 'next' || (typeof wanted === 'object' && wanted.next)

/** The rows of each sequence that its feed wants to know about. */
export function outputOf(feeds: readonly Feed[], { rows: counts }: PagedLayout): OutputRows {
  const [scored, others, targets]: number[][] = [[], [], []]
  let end = 0
  let top = 0
  for (const [i, feed] of feeds.entries()) {
    end += counts[i]!
    const { wanted = 'next', ids } = feed
    if (wantsNext(feed)) scored!.push(end - 1)
    if (typeof wanted === 'object') {
      const { places = Array.from({ length: ids.length - (wanted.next ? 1 : 0) }, (_, i) => i) } = wanted
      if (wanted.ids.length !== places.length || places.some((place) => place < 0 || place >= ids.length))
        throw new IftError(
          'IFT_ARGUMENT',
          `Decoder: log-probabilities expected one id for each of ${places.length} places among ${ids.length} tokens, found ${wanted.ids.length} ids`,
        )
      for (const place of places) others!.push(end - ids.length + place)
      targets!.push(...wanted.ids)
      top = Math.max(top, wanted.top)
    }
  }
  return { rows: [...scored!, ...others!], scored: scored!.length, targets: targets!, top }
}

/** Log-probabilities of rows that a pass gives: f32 [M], and the likeliest in the place of each where they are wanted. */
export interface RowLogProbs {
  readonly logProbs: Tensor
  readonly top: TopEntries | null
}

/** Log-probabilities for the feeds that want them; `parts` have them in the order `of`. */
export async function readInOrder(
  parts: readonly RowLogProbs[],
  of: readonly number[],
  feeds: readonly Feed[],
): Promise<FedLogProbs[]> {
  const rows = (await Promise.all(parts.map(readRows))).flat()
  const found = new Map<number, FedLogProbs>()
  let at = 0
  for (const i of of) {
    const { wanted } = feeds[i]!
    if (typeof wanted !== 'object') continue
    const own = rows.slice(at, (at += wanted.ids.length))
    found.set(i, {
      logProbs: Float32Array.from(own, ({ logProb }) => logProb),
      top: own.map(({ top }, k) => agreeing(top.slice(0, wanted.top), wanted.ids[k]!, own[k]!.logProb)),
    })
  }
  return [...found.keys()].sort((a, b) => a - b).map((i) => found.get(i)!)
}

async function readRows({ logProbs, top }: RowLogProbs) {
  const [values, ...entries] = await Promise.all([
    logProbs.read(),
    ...(top ? [top.values.read(), top.logSum!.read()] : []),
  ])
  const ids = await top?.indices.readInts()
  const width = top?.values.shape[1] ?? 0
  return Array.from(values, (logProb, row) => ({
    logProb,
    top: Array.from({ length: width }, (_, k) => ({
      id: ids![row * width + k]!,
      logprob: Math.fround(entries[0]![row * width + k]! - entries[1]![row]!),
    })),
  }))
}

/**
 * The likeliest ids with the number of `id` where it is one of them: it was added up in another order, and whoever compares the two
 * (is this the likeliest token?) would otherwise find the last digit.
 */
function agreeing(top: readonly LogProb[], id: number, logprob: number): readonly LogProb[] {
  const place = top.findIndex((one) => one.id === id)
  if (place < 0) return top
  return top.map((one, k) => ({
    id: one.id,
    logprob:
      k < place ? Math.max(one.logprob, logprob) : k > place ? Math.min(one.logprob, logprob) : logprob,
  }))
}
