import { backward, noGrad, ops, withRandom, zeros, type RandomKey, type Tensor } from '@ift/tensor'
import type { Sample } from '../contract/data.js'
import { packSamples } from '../data/pack.js'
import { virtualRows } from '../data/virtual-tokens.js'
import { forwardBatch } from '../train/forward.js'
import type { Subject } from './peft-bench.js'

/** Every token of a sequence is learned. */
export const learned = (ids: readonly number[]): Sample => ({
  ids: Int32Array.from(ids),
  labels: Int32Array.from(ids),
})

/** Logits of the rows that predict a learned token, f32 [rows, vocab] in the order of the samples, as in training. */
export async function logitsOfSamples(subject: Subject, samples: readonly Sample[]): Promise<Float32Array> {
  const { backend, model } = subject
  const batch = packSamples(samples, false, model.promptOf?.bind(model))
  const logits = noGrad(() =>
    forwardBatch(subject, batch, ({ hidden }) =>
      model.lmHead.call(hidden, zeros(backend, [hidden.dim(0), model.lmHead.outFeatures], 'f32')),
    ),
  )
  try {
    return await logits.read()
  } finally {
    logits.release()
  }
}

/** The same of whole sequences. */
export const logitsOfIds = (
  subject: Subject,
  sequences: readonly (readonly number[])[],
): Promise<Float32Array> => logitsOfSamples(subject, sequences.map(learned))

export interface LossOptions {
  /** Beginnings that samples share are computed once. */
  readonly share?: boolean
  /** Of dropout. */
  readonly random?: RandomKey
}

/**
 * Mean loss of the learned tokens and the method's penalty, f32 [1], as a step of training computes them; their gradients are added
 * to what is trained. The caller releases it.
 */
export function lossWithGradients(
  subject: Subject,
  samples: readonly Sample[],
  { share = false, random = { seed: 0, step: 0, micro: 0 } }: LossOptions = {},
): Tensor {
  const { model, peft } = subject
  const learnFirst = virtualRows(peft, model) !== undefined
  const batch = packSamples(samples, share, model.promptOf?.bind(model), learnFirst)
  return withRandom(random, () =>
    forwardBatch(subject, batch, ({ hidden, targets }) => {
      const loss = ops.linearCrossEntropy(hidden, model.lmHead, targets, {
        gradScale: 1 / batch.trainedTokens,
      })
      const penalty = peft?.penalty?.()
      const sum = penalty === undefined ? loss : ops.add(loss, penalty)
      if (sum.requiresGrad) backward(sum)
      return sum
    }),
  )
}

/** The loss as a number; `noGrad` around it where no gradient is wanted. */
export async function lossOfIds(
  subject: Subject,
  sequences: readonly (readonly number[])[],
  options?: LossOptions,
): Promise<number> {
  const loss = lossWithGradients(subject, sequences.map(learned), options)
  try {
    return (await loss.read())[0]!
  } finally {
    loss.release()
  }
}

/** Gradients by the names of `trainable()`; null where a parameter has none. */
export async function gradientsOf({ peft }: Subject): Promise<Map<string, Float32Array | null>> {
  const gradients = new Map<string, Float32Array | null>()
  for (const { name, parameter } of peft?.trainable() ?? [])
    gradients.set(name, parameter.grad === null ? null : await parameter.grad.read())
  return gradients
}

/** Drops the gradients. */
export function zeroGradients({ peft }: Subject): void {
  for (const { parameter } of peft?.trainable() ?? []) parameter.zeroGrad()
}
