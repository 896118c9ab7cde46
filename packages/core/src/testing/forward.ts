import {
  backward,
  behindVirtualTokens,
  forwardInput,
  noGrad,
  ops,
  promptsOf,
  scope,
  tensor,
  zeros,
  type Backend,
  type CausalLM,
  type ForwardInput,
  type KvSource,
  type Tensor,
} from '@ift/tensor'
import type { PeftPrefix } from '../contract/index.js'

/** Token ids of one sequence. */
export type Ids = ArrayLike<number>

const laidOut = (model: CausalLM, sequences: readonly Ids[]) => ({
  ids: sequences.flatMap((s) => Array.from(s)),
  lengths: sequences.map((ids) => ids.length),
  prompts: promptsOf(model, sequences),
})

/** The input of a model for sequences laid end to end. Its tensors belong to the scope it is made in. */
export const packedInput = (
  backend: Backend,
  model: CausalLM,
  sequences: readonly Ids[],
  kv?: KvSource,
): ForwardInput => forwardInput(backend, { ...laidOut(model, sequences), kv })

/** `packedInput` of sequences behind the virtual tokens of a method, where it has any. Wanted are the rows of the sequences. */
export const inputBehind = (
  backend: Backend,
  model: CausalLM,
  sequences: readonly Ids[],
  prefix: PeftPrefix | undefined,
): ForwardInput =>
  forwardInput(backend, behindVirtualTokens(backend, model, prefix, laidOut(model, sequences)))

/** Logits of an input, [rows, vocab] as f32, without gradients. */
export function logitsOf(model: CausalLM, make: () => ForwardInput): Promise<Float32Array> {
  return scope(() =>
    noGrad(() => {
      const hidden = model.call(make())
      return model.lmHead
        .call(hidden, zeros(hidden.backend, [hidden.dim(0), model.lmHead.outFeatures], 'f32'))
        .read()
    }),
  )
}

/** Row i is to predict `labels[i + 1]` of its sequence; negative labels, and the last row, count for nothing. */
const shifted = (labels: readonly Ids[]): number[] => labels.flatMap((s) => [...Array.from(s).slice(1), -1])

/** Sum of the losses of labelled rows times `gradScale`, f32 [1]. Virtual rows in front predict the first tokens that have a label. */
export function lossOf(
  backend: Backend,
  model: CausalLM,
  sequences: readonly Ids[],
  labels: readonly Ids[],
  gradScale: number,
  prefix?: PeftPrefix,
): Tensor {
  const first = labels.map((of) => (prefix !== undefined && 'rows' in prefix ? of[0]! : -1))
  const beginnings = [...first.keys()].filter((s) => first[s]! >= 0)
  const whole = { ...laidOut(model, sequences), beginnings }
  const hidden = model.call(forwardInput(backend, behindVirtualTokens(backend, model, prefix, whole)))
  const targets = [...beginnings.map((s) => first[s]!), ...shifted(labels)]
  const rows = tensor(backend, targets, [targets.length], 'i32')
  return ops.linearCrossEntropy(hidden, model.lmHead, rows, { gradScale })
}

/** The same as a number, after its gradient was added to the trainable parameters. */
export function lossAndGradients(...args: Parameters<typeof lossOf>): Promise<Float32Array> {
  return scope(() => {
    const loss = lossOf(...args)
    if (loss.requiresGrad) backward(loss)
    return loss.read()
  })
}
