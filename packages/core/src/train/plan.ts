import { itemSize, type FloatDType } from '@ift/tensor'
import type { ModelShape, PeftMemory } from '../contract/index.js'

/** Input of a memory plan. */
export interface PlanInput {
  readonly shape: ModelShape
  readonly dtype: FloatDType
  /** Elements of all parameters of the model, and of those that are trained. */
  readonly parameters: number
  readonly trainable: number
  /** Bytes of the optimizer's state for what is trained. */
  readonly optimizerState: number
  /** Those of the parameters that are held in few bits: how many, the bytes they take, and how many the largest has. */
  readonly quantized?:
    { readonly elements: number; readonly bytes: number; readonly largest: number } | undefined
  /** Null when the model itself is trained. */
  readonly method: PeftMemory | null
  /** Bytes of the state that the method carries from step to step; none when absent. */
  readonly methodState?: number
  /** Keys that a layer keeps besides those of the tokens: copies of virtual ones, one for each sequence. None when absent. */
  readonly virtualKeys?: number
  /** Tokens in a micro-batch, virtual rows included, and at most how many of them are trained. */
  readonly tokens: number
  readonly trainedTokens: number
  /** Bytes that may be used; null when nothing limits them. */
  readonly budget: number | null
}

/** Bytes of a training run on its device. */
export interface Plan {
  readonly weights: number
  /** f32 masters and gradients of what is trained, the state of optimizer and method, and what the method holds besides. */
  readonly training: number
  /** Saved for the backward pass, all layers kept. */
  readonly activationsPerLayer: number
  readonly activations: number
  /** A chunk of logits with its gradient, and what a layer needs while it runs. */
  readonly workspace: number
  readonly total: number
  /** Layers whose activations are recomputed so that the plan fits. */
  readonly recomputeLayers: number
  readonly fits: boolean
}

/** Rows of logits that exist at once in the fused head and loss. */
export const logitsChunk = 512

/**
 * Bytes that a run will hold, from the sizes alone. A decoder layer keeps for its backward pass: its input, two norms, q,
 * k, v, the attention's output, the residual, gate, up and their product, plus what the method keeps, and k and v of virtual
 * tokens; a layer that is recomputed keeps its input only.
 */
export function plan(input: PlanInput, layersRecomputed: number | 'auto'): Plan {
  const { shape, dtype, tokens } = input
  const item = itemSize(dtype)
  const kv = shape.kvHeads * shape.headDim
  const q = shape.heads * shape.headDim
  const ofMethod = input.method?.activationsPerToken ?? 0
  const perToken =
    (4 * shape.hidden + 2 * q + 2 * kv + 3 * shape.intermediate + ofMethod) * item + (shape.heads + 2) * 4
  const perLayer = perToken * tokens + (input.virtualKeys ?? 0) * 2 * kv * item
  const kept = shape.hidden * item * tokens
  const { quantized } = input
  const weights = (input.parameters - (quantized?.elements ?? 0)) * item + (quantized?.bytes ?? 0)
  const master = dtype === 'f32' ? 0 : 4
  const heldByMethod = (input.methodState ?? 0) + (input.method?.bytes ?? 0)
  const training = input.trainable * (master + 4) + input.optimizerState + heldByMethod
  const chunk = Math.min(logitsChunk, input.trainedTokens) * shape.vocab * (4 + item)
  // A quantised matrix is written out for its product, one at a time.
  const writtenOut = (quantized?.largest ?? 0) * item
  const workspace = chunk + perLayer + 4 * shape.hidden * item * tokens + writtenOut
  const total = (layers: number) =>
    weights + training + workspace + (shape.layers - layers) * perLayer + layers * kept
  let recompute = layersRecomputed === 'auto' ? 0 : layersRecomputed
  if (layersRecomputed === 'auto' && input.budget !== null)
    while (recompute < shape.layers && total(recompute) > input.budget) recompute++
  return {
    weights,
    training,
    activationsPerLayer: perLayer,
    activations: (shape.layers - recompute) * perLayer + recompute * kept,
    workspace,
    total: total(recompute),
    recomputeLayers: recompute,
    fits: input.budget === null || total(recompute) <= input.budget,
  }
}
