import type { FloatDType } from '../dtype.js'
import { record } from '../tensor/tape.js'
import { emptyLike, type Tensor } from '../tensor/tensor.js'
import { floatOf } from './check.js'

/** x rounded to another float dtype, to the nearest, ties to even; x itself, aliased, when it has it already. */
export function cast(x: Tensor, dtype: FloatDType): Tensor {
  const from = floatOf('cast', 'x', x)
  if (from === dtype) return x.alias()
  const y = emptyLike(x, dtype)
  x.backend.cast(y.buf, x.buf, x.size, dtype, from)

  const nx = x.node
  const node = record('cast', y, nx)
  if (node !== null && nx !== null) {
    node.run = (dy) => {
      nx.give(dy.retain(), node.dtype)
    }
  }
  return y
}
