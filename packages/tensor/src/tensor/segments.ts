import type { Backend } from '../backend.js'
import { IftError } from '../errors.js'
import { tensor } from './create.js'
import type { Tensor } from './tensor.js'

/** Sequences laid end to end in the rows of a tensor. */
export interface Segments {
  /** Sequences. */
  readonly count: number
  /** Rows of the longest. */
  readonly max: number
  /** Rows of all. */
  readonly rows: number
  /** i32 [count + 1]: sequence s owns rows cu[s] up to cu[s + 1]. */
  readonly cu: Tensor
  readonly lengths: readonly number[]
}

/** Sequences of these lengths, on the device. A length may be 0; all of them may not. */
export function segments(backend: Backend, lengths: readonly number[]): Segments {
  const cu = new Int32Array(lengths.length + 1)
  let max = 0
  for (let i = 0; i < lengths.length; i++) {
    const length = lengths[i]!
    if (!(length >= 0) || !Number.isInteger(length)) {
      throw new IftError('IFT_SHAPE', `segments: lengths are non-negative integers, found ${length} at ${i}`)
    }
    cu[i + 1] = cu[i]! + length
    if (length > max) max = length
  }
  if (max === 0)
    throw new IftError('IFT_SHAPE', `segments: expected at least one row, found [${lengths.join(', ')}]`)
  return {
    count: lengths.length,
    max,
    rows: cu[lengths.length]!,
    cu: tensor(backend, cu, [lengths.length + 1], 'i32'),
    lengths,
  }
}
