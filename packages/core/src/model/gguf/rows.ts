import type { GgufRows } from '../../contract/gguf.js'
import type { FusedLayout } from '../fused-rows.js'

/**
 * Rows of queries, keys or values in a GGUF file. `layout` says which heads of the module each tensor of the file has, as for
 * `fusedRows`; of the tensors in `turned`, the rows i and i + d/2 of each head of `headDim` lie at 2i and 2i + 1, as llama.cpp wants them for
 * heads whose two halves turn together.
 */
export function ggufHeads(layout: FusedLayout, headDim: number, turned: readonly boolean[]): GgufRows {
  const counts = layout.map((heads) => heads.length * headDim)
  return {
    counts,
    order() {
      const order = new Int32Array(counts.reduce((sum, count) => sum + count, 0))
      let from = 0
      for (const [part, heads] of layout.entries())
        for (const head of heads) {
          for (let i = 0; i < headDim; i++) {
            const half = headDim / 2
            const place = turned[part] !== true ? i : i < half ? 2 * i : 2 * (i - half) + 1
            order[head * headDim + i] = from + place
          }
          from += headDim
        }
      return order
    },
  }
}

/** The same rows, where one tensor of the file has those of all. */
export const inOneTensor = ({ counts, order }: GgufRows): GgufRows => ({
  counts: [counts.reduce((sum, count) => sum + count, 0)],
  order,
})
