import type { Likelihood, TaskMetric } from '@ift/core'

/** A question with choices, one of which is right. */
export interface Choice {
  readonly question: string
  readonly choices: readonly string[]
  /** Index of the right one. */
  readonly right: number
  readonly subject: string
}

/** Letters of choices. */
export const letters = ['A', 'B', 'C', 'D', 'E', 'F', 'G', 'H']

/** The first of the highest, as numpy's argmax. */
function highest(values: readonly number[]): number {
  let best = 0
  for (const [i, value] of values.entries()) if (value > values[best]!) best = i
  return best
}

const bytes = new TextEncoder()

export const choiceMetrics = {
  acc: { description: 'the right choice is the likeliest', kind: 'share' },
  acc_norm: { description: 'the same by likelihood per character of the choice', kind: 'share' },
  acc_bytes: { description: 'the same by likelihood per UTF-8 byte of the choice', kind: 'share' },
} as const satisfies Readonly<Record<string, TaskMetric>>

/** Accuracies of lm-evaluation-harness. `texts` are the choices without the blank in front, whose lengths count. */
export function scoreChoices(likelihoods: readonly Likelihood[], texts: readonly string[], right: number) {
  const by = (length: (text: string) => number): 0 | 1 =>
    highest(likelihoods.map(({ logprob }, i) => logprob / length(texts[i]!))) === right ? 1 : 0
  return {
    acc: by(() => 1),
    acc_norm: by((text) => Array.from(text).length),
    acc_bytes: by((text) => bytes.encode(text).length),
  }
}
