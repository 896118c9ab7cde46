import {
  backward,
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

/** Token ids of one sequence. */
export type Ids = ArrayLike<number>

/** The input of a model for sequences laid end to end. Its tensors belong to the scope it is made in. */
export function packedInput(
  backend: Backend,
  model: CausalLM,
  sequences: readonly Ids[],
  kv?: KvSource,
): ForwardInput {
  return forwardInput(backend, {
    ids: sequences.flatMap((s) => Array.from(s)),
    lengths: sequences.map((ids) => ids.length),
    kv,
    prompts: promptsOf(model, sequences),
  })
}

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

/** Sum of the losses of labelled rows times `gradScale`, f32 [1]. */
export function lossOf(
  backend: Backend,
  model: CausalLM,
  sequences: readonly Ids[],
  labels: readonly Ids[],
  gradScale: number,
): Tensor {
  const hidden = model.call(packedInput(backend, model, sequences))
  const targets = shifted(labels)
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
