import { Linear, Module, ops, tensor, type Backend, type LinearLike, type Tensor } from '@ift/tensor'
import type { InternLMConfig } from './config.js'
import type { Step } from './decode.js'

/** Row indices i32 of the queries [N · H], keys and values [N · G] in what wqkv gives, seen as heads. */
export interface GroupedStep extends Step {
  readonly heads: { readonly q: Tensor; readonly k: Tensor; readonly v: Tensor }
}

/** wqkv gives, for each of the G key/value heads, the queries that attend to it, its key, its value. */
export function groupedHeads(
  backend: Backend,
  n: number,
  { heads, kvHeads }: InternLMConfig,
): GroupedStep['heads'] {
  const queries = heads / kvHeads
  const part = (first: number, count: number) => {
    const rows = new Int32Array(n * kvHeads * count)
    for (let group = 0, at = 0; group < n * kvHeads; group++)
      for (let i = 0; i < count; i++) rows[at++] = group * (queries + 2) + first + i
    return tensor(backend, rows, [rows.length], 'i32')
  }
  return { q: part(0, queries), k: part(queries, 1), v: part(queries + 1, 1) }
}

/**
 * Grouped-query attention of InternLM2 (Cai et al. 2024, arXiv:2403.17297) from one matrix, residual added.
 * x [N, C], residual [M, C] -> [M, C]; rows i32 [M] says which rows of x go on, M = N without.
 */
export class InternLM2Attention extends Module<
  [x: Tensor, step: GroupedStep, residual: Tensor, rows: Tensor | undefined],
  Tensor
> {
  wqkv: LinearLike
  wo: LinearLike
  readonly #config: InternLMConfig
  readonly #layer: number

  constructor(config: InternLMConfig, layer: number) {
    super()
    const { hidden, heads, kvHeads, headDim, attentionBias: bias } = config
    this.wqkv = new Linear(hidden, (heads + 2 * kvHeads) * headDim, { bias })
    this.wo = new Linear(heads * headDim, hidden, { bias })
    this.#config = config
    this.#layer = layer
  }

  protected forward(x: Tensor, step: GroupedStep, residual: Tensor, rows: Tensor | undefined): Tensor {
    const { heads, kvHeads, headDim } = this.#config
    const { positions, invFreq, kv } = step
    const n = x.dim(0)
    const fused = this.wqkv.call(x).reshape(n * (heads + 2 * kvHeads), headDim)
    const part = (index: Tensor, count: number) => ops.gatherRows(fused, index).reshape(n, count, headDim)
    const q = ops.rope(part(step.heads.q, heads), positions, { invFreq })
    const k = ops.rope(part(step.heads.k, kvHeads), positions, { invFreq })
    const v = part(step.heads.v, kvHeads)
    const y = kv.attend(this.#layer, q, k, v, { causal: true }).reshape(n, heads * headDim)
    return this.wo.call(rows === undefined ? y : ops.gatherRows(y, rows), residual)
  }
}
