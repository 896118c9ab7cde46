import { record, scratch } from '../tensor/tape.js'
import { emptyLike, type Tensor } from '../tensor/tensor.js'
import { expectLike, floatOf } from './check.js'

/** y = a - b, element by element; same shape and dtype. Saves nothing. */
export function sub(a: Tensor, b: Tensor): Tensor {
  const dtype = floatOf('sub', 'a', a)
  expectLike('sub', 'b', b, a)
  const y = emptyLike(a)
  const size = a.size
  a.backend.axpby(y.buf, 1, a.buf, -1, b.buf, size, dtype)

  const na = a.node
  const nb = b.node
  const node = record('sub', y, na, nb)
  if (node !== null) {
    node.run = (dy) => {
      na?.give(dy.retain(), dtype)
      if (nb !== null) {
        const db = scratch(dy.backend, size, dtype)
        dy.backend.axpby(db.buf, -1, dy.buf, 0, dy.buf, size, dtype)
        nb.give(db, dtype)
      }
    }
  }
  return y
}
