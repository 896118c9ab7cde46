import { record, scratch } from '../tensor/tape.js'
import { emptyLike, type Tensor } from '../tensor/tensor.js'
import { floatOf } from './check.js'

/** y = c · x for a host number c. Any shape. Saves nothing. */
export function scale(x: Tensor, c: number): Tensor {
  const dtype = floatOf('scale', 'x', x)
  const y = emptyLike(x)
  const size = x.size
  x.backend.axpby(y.buf, c, x.buf, 0, x.buf, size, dtype)

  const nx = x.node
  const node = record('scale', y, nx)
  if (node !== null && nx !== null) {
    node.run = (dy) => {
      const dx = scratch(dy.backend, size, dtype)
      dy.backend.axpby(dx.buf, c, dy.buf, 0, dy.buf, size, dtype)
      nx.give(dx, dtype)
    }
  }
  return y
}
