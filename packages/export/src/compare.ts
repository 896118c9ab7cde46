/** How far two models are apart over the same tokens. */
export interface Difference {
  /** The largest difference of a logit. */
  readonly logit: number
  /** KL divergence of the first from the second in nats, the mean over the tokens and the largest. */
  readonly meanKl: number
  readonly largestKl: number
}

const logSum = (values: Float32Array): number => {
  const largest = values.reduce((most, one) => Math.max(most, one), -Infinity)
  return largest + Math.log(values.reduce((sum, one) => sum + Math.exp(one - largest), 0))
}

/** Compares logits [tokens, vocab], of which each model may have further columns that are left out. */
export function compareLogits(expected: Float32Array, found: Float32Array, tokens: number): Difference {
  const [wide, narrow] = [expected.length / tokens, found.length / tokens]
  const vocab = Math.min(wide, narrow)
  let [logit, sum, largestKl] = [0, 0, 0]
  for (let row = 0; row < tokens; row++) {
    const a = expected.subarray(row * wide, row * wide + vocab)
    const b = found.subarray(row * narrow, row * narrow + vocab)
    const [logA, logB] = [logSum(a), logSum(b)]
    let kl = 0
    for (let i = 0; i < vocab; i++) {
      // Neither comparison holds for a NaN.
      const difference = Math.abs(a[i]! - b[i]!)
      if (!(difference <= logit)) logit = difference
      const p = a[i]! - logA
      kl += Math.exp(p) * (p - (b[i]! - logB))
    }
    sum += kl
    if (!(kl <= largestKl)) largestKl = kl
  }
  return { logit, meanKl: Math.max(0, sum / tokens), largestKl }
}
