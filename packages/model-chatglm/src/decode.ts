import {
  IftError,
  ops,
  tensor,
  type Embedding,
  type ForwardInput,
  type KvSource,
  type Module,
  type Tensor,
} from '@ift/tensor'
import type { GlmConfig } from './config.js'

/** What every layer of a forward pass shares. */
export interface Step {
  /** i32 [N] */
  readonly positions: Tensor
  /** f32 [rotaryDims / 2] */
  readonly invFreq: Tensor
  readonly kv: KvSource
  /** Row indices of queries, keys and values in what query_key_value gives, seen as [N · (H + 2G), D]. */
  readonly parts: readonly [q: Tensor, k: Tensor, v: Tensor]
  /** Row indices i32 [N] of gate and up in a fused projection, seen as [2N, F]. */
  readonly halves: readonly [gate: Tensor, up: Tensor]
  /** The same for the rows that leave the last layer. */
  readonly lastHalves: readonly [gate: Tensor, up: Tensor]
}

/** Pre-norm layer. x [N, C] -> [N, C], or [M, C] for rows i32 [M]. */
export type GlmLayer = Module<[x: Tensor, step: Step, rows?: Tensor], Tensor>

/** Grouped-query attention; pairs (2i, 2i + 1) of the first dimensions turn. q [N, H, D], k, v [N, G, D] -> [N, H · D]. */
export function attend(layer: number, step: Step, q: Tensor, k: Tensor, v: Tensor): Tensor {
  const { positions, invFreq, kv } = step
  const turned = (t: Tensor) => ops.rope(t, positions, { invFreq, interleaved: true })
  return kv.attend(layer, turned(q), turned(k), v, { causal: true }).reshape(q.dim(0), -1)
}

/** SwiGLU (Shazeer 2020, arXiv:2002.05202) of a fused projection, gate first. fused [N, 2F] -> [N, F]. */
export function gated(fused: Tensor, [gate, up]: Step['halves']): Tensor {
  const halves = fused.reshape(2 * fused.dim(0), -1)
  return ops.swiglu(ops.gatherRows(halves, gate), ops.gatherRows(halves, up))
}

/** Embedding, layers and final norm. -> [N, C], or [M, C] for the rows that are wanted. */
export function decode(
  config: GlmConfig,
  input: ForwardInput,
  embedding: Embedding,
  layers: readonly GlmLayer[],
  norm: Module<[Tensor], Tensor>,
): Tensor {
  const { outputRows } = input
  const step = stepOf(config, input)
  let x = embedded(input, embedding)
  for (const [i, layer] of layers.entries()) {
    const isLast = i === layers.length - 1
    const y = layer.call(
      x,
      isLast ? { ...step, halves: step.lastHalves } : step,
      isLast ? outputRows : undefined,
    )
    // The scope around would hold the hidden state of every layer until the end.
    x.release()
    x = y
  }
  return norm.call(x)
}

function stepOf(config: GlmConfig, { positions, kv, outputRows }: ForwardInput): Step {
  const { heads, kvHeads, rotaryDims, ropeTheta } = config
  const { backend } = positions
  const rows = positions.size
  const ints = (length: number, at: (i: number) => number) =>
    tensor(
      backend,
      Int32Array.from({ length }, (_, i) => at(i)),
      [length],
      'i32',
    )
  const width = heads + 2 * kvHeads
  const part = (count: number, start: number) =>
    ints(rows * count, (i) => Math.floor(i / count) * width + start + (i % count))
  const halvesOf = (n: number) => [ints(n, (i) => 2 * i), ints(n, (i) => 2 * i + 1)] as const
  const halves = halvesOf(rows)
  const invFreq = Float32Array.from(
    { length: rotaryDims / 2 },
    (_, i) => ropeTheta ** ((-2 * i) / rotaryDims),
  )
  return {
    positions,
    kv,
    invFreq: tensor(backend, invFreq, [invFreq.length]),
    parts: [part(heads, 0), part(kvHeads, heads), part(kvHeads, heads + kvHeads)],
    halves,
    lastHalves: outputRows === undefined ? halves : halvesOf(outputRows.size),
  }
}

function embedded({ ids, embeds }: ForwardInput, embedding: Embedding): Tensor {
  // An alias, because the first layer gives its input away.
  if (embeds !== undefined && ids === undefined) return embeds.alias()
  if (ids !== undefined && embeds === undefined) return embedding.call(ids)
  throw new IftError('IFT_ARGUMENT', 'expected either ids or embeds, found both or neither')
}
