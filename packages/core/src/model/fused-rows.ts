import { ops, tensor, type ForwardInput, type Tensor } from '@ift/tensor'

/**
 * Where the parts of one fused projection lie. What it gives for a position, [width · D], is `width` rows of D; part p has
 * those of `parts[p]`, in that order. Every row is in one part.
 */
export type FusedLayout = readonly (readonly number[])[]

/** Parts one after the other, of so many rows each: consecutive(2, 1) is [[0, 1], [2]]. */
export function consecutive(...counts: readonly number[]): FusedLayout {
  let at = 0
  return counts.map((count) => Array.from({ length: count }, () => at++))
}

/**
 * Queries, keys and values as BLOOM, GPT-NeoX and InternLM2 lay them: for each key/value head the queries that attend to it, its
 * key, its value.
 */
export function grouped(heads: number, kvHeads: number): FusedLayout {
  const queries = heads / kvHeads
  const part = (first: number, count: number) =>
    Array.from(
      { length: kvHeads * count },
      (_, i) => Math.floor(i / count) * (queries + 2) + first + (i % count),
    )
  return [part(0, queries), part(queries, 1), part(queries + 1, 1)]
}

/** Row indices of each part for n positions, i32 [n · rows of the part]: made once for all layers of a pass. */
export function fusedRows({ positions }: ForwardInput, layout: FusedLayout, n = positions.size): Tensor[] {
  const width = layout.reduce((sum, part) => sum + part.length, 0)
  return layout.map((part) => {
    const count = part.length
    const rows = new Int32Array(n * count)
    for (let i = 0, at = 0; i < n; i++) for (const row of part) rows[at++] = i * width + row
    return tensor(positions.backend, rows, [rows.length], 'i32')
  })
}

/** The parts of what a fused projection gives. fused [N, width · D], rows of `fusedRows` -> [N · rows of the part, D] each. */
export function splitFused(fused: Tensor, rows: readonly Tensor[]): Tensor[] {
  const all = fused.reshape(
    rows.reduce((sum, { size }) => sum + size, 0),
    -1,
  )
  return rows.map((part) => ops.gatherRows(all, part))
}
