import { record } from '../tensor/tape.js'
import { emptyLike, type Tensor } from '../tensor/tensor.js'
import { expectLike, floatOf } from './check.js'

/** y = a + b, element by element; same shape and dtype. Saves nothing. */
export function add(a: Tensor, b: Tensor): Tensor {
  const dtype = floatOf('add', 'a', a)
  expectLike('add', 'b', b, a)
  const y = emptyLike(a)
  a.backend.axpby(y.buf, 1, a.buf, 1, b.buf, a.size, dtype)

  const na = a.node
  const nb = b.node
  const node = record('add', y, na, nb)
  if (node !== null) {
    node.run = (dy) => {
      na?.give(dy.retain(), dtype)
      nb?.give(dy.retain(), dtype)
    }
  }
  return y
}
