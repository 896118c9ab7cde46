import type { Kernels } from '../backend.js'
import { itemSize } from '../dtype.js'

/** Bytes that a call of a kernel takes from the memory of its device besides its arguments. */
export type Workspaces = { readonly [K in keyof Kernels]?: (...args: Parameters<Kernels[K]>) => number }

/**
 * `Checked::scratch` of kernels-cuda/native/src/kernels, as far as it grows with rows or with parameters. The kernels of
 * kernels-cpu and of the reference backend take none that their devices count.
 */
const cuda: Workspaces = {
  gemm: (_y, _a, _b, _bias, { m, n, dtype, outDtype }) =>
    // The library writes the type of its inputs, or f32.
    outDtype === dtype || outDtype === 'f32' ? 0 : 4 * m * n,
  lowRankBackward: (_gradients, _dy, _z, _low, _w, _a, _b, { n, r, dtype }) => n * r * itemSize(dtype),
  attentionBackward: (_dq, _dk, _dv, _dout, _out, _lse, _q, _k, _v, { rowsQ, heads }) => 4 * rowsQ * heads,
  quantize: ({ format, rows, cols }) => (format === 'nf4' ? (4 * rows * cols) / 64 : 0),
  sumRows: (_y, _x, rows, cols) => columnSums(rows, cols),
  rmsNormBackward: (_dx, dw, _dy, _x, _w, _rstd, rows, cols) => (dw === null ? 0 : columnSums(rows, cols)),
  layerNormBackward: (_dx, dw, db, _dy, _x, _w, _mean, _rstd, rows, cols) =>
    (dw === null ? 0 : columnSums(rows, cols)) + (db === null ? 0 : columnSums(rows, cols)),
  scaleColumnsBackward: (_ds, _dy, _x, rows, cols) => columnSums(rows, cols),
  adafactor: (_param, _master, _grad, _v, column, _m, _scale, { rows, cols }) =>
    8 * rows + (column === null ? 0 : 4 * cols + columnSums(rows, cols)),
}

/** Partial sums over columns: `ColumnSums` of kernels-cuda. */
function columnSums(rows: number, cols: number): number {
  const parts = Math.min(64, Math.max(1, Math.floor(rows / 64)))
  return parts === 1 ? 0 : 4 * parts * cols
}

/** `size_class` of kernels-cuda/native/src/arena.rs: sizes are rounded up to eighths of a power of two. */
function sizeClass(bytes: number): number {
  const least = Math.max(bytes, 512)
  const step = Math.max(2 ** Math.ceil(Math.log2(least)) / 16, 512)
  return Math.ceil(least / step) * step
}

/** What a device takes for a run besides the bytes that the run asks for. */
export interface DeviceRules {
  readonly workspaces: Workspaces
  /** Bytes of the block for a buffer of so many. */
  readonly blockOf: (bytes: number) => number
}

/** Those of the device of a kind. What the arena of the CPU adds (64 bytes of alignment) is not worth counting. */
export const deviceRules = (kind: string): DeviceRules =>
  kind === 'cuda' ? { workspaces: cuda, blockOf: sizeClass } : { workspaces: {}, blockOf: (bytes) => bytes }
