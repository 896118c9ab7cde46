import { inverseFrequencies } from '@ift/core/model'
import {
  IftError,
  tensor,
  type Embedding,
  type ForwardInput,
  type KvSource,
  type Module,
  type RMSNorm,
  type Tensor,
} from '@ift/tensor'
import type { InternLMConfig } from './config.js'

/** What every layer of a forward pass shares. */
export interface Step {
  /** i32 [N] */
  readonly positions: Tensor
  /** f32 [headDim / 2] */
  readonly invFreq: Tensor
  readonly kv: KvSource
}

/** x [N, C] -> [N, C], or [M, C] for rows i32 [M]. */
export type Layer<S extends Step> = Module<[x: Tensor, step: S, rows?: Tensor], Tensor>

/** Positions and frequencies of a forward pass. */
export function stepOf(
  { positions, kv, maxPosition }: ForwardInput,
  { rope, headDim }: InternLMConfig,
): Step {
  const frequencies = inverseFrequencies(rope, headDim, maxPosition)
  return { positions, kv, invFreq: tensor(positions.backend, frequencies, [headDim / 2]) }
}

/** Embedding, layers and final norm. -> [N, C], or [M, C] for the rows that are wanted. */
export function decode<S extends Step>(
  { ids, embeds, outputRows }: ForwardInput,
  step: S,
  embedding: Embedding,
  layers: readonly Layer<S>[],
  norm: RMSNorm,
): Tensor {
  if ((ids === undefined) === (embeds === undefined))
    throw new IftError('IFT_ARGUMENT', 'expected either ids or embeds, found both or neither')
  // An alias, because the first layer gives its input away.
  let x = ids === undefined ? embeds!.alias() : embedding.call(ids)
  for (const [i, layer] of layers.entries()) {
    const y = layer.call(x, step, i === layers.length - 1 ? outputRows : undefined)
    // The scope around would hold the hidden state of every layer until the end.
    x.release()
    x = y
  }
  return norm.call(x)
}
