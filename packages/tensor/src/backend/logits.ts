import type { FloatDType } from '../dtype.js'

/** Rows of a vocabulary-wide softmax. */
export interface CrossEntropy {
  rows: number
  vocab: number
  /** Factor of the gradient, usually 1 / trained tokens of the optimiser step. */
  gradScale: number
  dtype: FloatDType
  gradDtype: FloatDType
}

/** The largest k of `topRows`, which a block of a GPU can sort in its shared memory. */
export const mostTop = 1024

/** The highest entries of rows. */
export interface TopRows {
  rows: number
  cols: number
  /** Entries of each row that are wanted, 1 to min(cols, mostTop). */
  k: number
  /** Factor of the entries in the sum of exponentials: 1 / temperature. */
  scale: number
  dtype: FloatDType
}
