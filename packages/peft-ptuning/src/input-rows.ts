import type { PeftContext, PeftPrefix } from '@ift/core'
import { ops, scope, type Tensor } from '@ift/tensor'

/** Rows in the place of embedded tokens, rounded to the type of the model. They are not scaled, in any family. */
export const inputRows = (length: number, { dtype }: PeftContext, rows: () => Tensor): PeftPrefix => ({
  length,
  rows: () => scope(() => ops.cast(rows(), dtype)),
})

export const inputRowsUnmergeable =
  'Virtual tokens stand in front of every sequence, which no weight of the base can express.'
