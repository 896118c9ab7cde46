import { ops, type FloatDType, type ForwardInput, type KvSource, type Module, type Tensor } from '@ift/tensor'

/**
 * What all layers of one forward pass share. A family adds what its own layers need, as tensors in plain objects and arrays,
 * which is where recomputation finds what it has to keep.
 */
export interface DecoderStep {
  /** i32 [N] */
  readonly positions: Tensor
  readonly kv: KvSource
}

/** The part of a step that every family has. */
export const stepOf = ({ positions, kv }: ForwardInput): DecoderStep => ({ positions, kv })

/** x [..., C] -> [..., C] */
export type NormLayer = Module<[x: Tensor], Tensor>

/** x [N, C] -> [N, C], or [M, C] for the rows i32 [M] that are wanted of the last layer. */
export type DecoderLayer<S extends DecoderStep> = Module<[x: Tensor, step: S, rows?: Tensor], Tensor>

/** x [N, C], residual [M, C] or none -> [M, C]; rows i32 [M] says which rows of x go on, M = N without. */
export type AttentionLayer<S extends DecoderStep> = Module<
  [x: Tensor, step: S, residual?: Tensor, rows?: Tensor],
  Tensor
>

/** x [M, C], residual [M, C] or none -> [M, C]; rows is given where x has the wanted rows alone. */
export type FeedForwardLayer<S extends DecoderStep> = Module<
  [x: Tensor, residual: Tensor | undefined, step: S, rows?: Tensor],
  Tensor
>

/** residual + x, in the type of the residual: hidden states may be wider than what layers make. [N, C] each. */
export const addResidual = (residual: Tensor, x: Tensor): Tensor =>
  ops.add(residual, ops.cast(x, residual.dtype as FloatDType))
