import { record, scratch } from '../tensor/tape.js'
import { emptyLike, type Tensor } from '../tensor/tensor.js'
import { expectLike, floatOf } from './check.js'

/** y = a · b, element by element; same shape and dtype. Saves each input that the other's gradient needs. */
export function mul(a: Tensor, b: Tensor): Tensor {
  const dtype = floatOf('mul', 'a', a)
  expectLike('mul', 'b', b, a)
  const y = emptyLike(a)
  const size = a.size
  a.backend.mul(y.buf, a.buf, b.buf, size, dtype)

  const na = a.node
  const nb = b.node
  const node = record('mul', y, na, nb)
  if (node !== null) {
    const as = a.storage
    const bs = b.storage
    if (na !== null) node.save(bs)
    if (nb !== null) node.save(as)
    node.run = (dy) => {
      if (na !== null) {
        const da = scratch(dy.backend, size, dtype)
        dy.backend.mul(da.buf, dy.buf, bs.buf, size, dtype)
        na.give(da, dtype)
      }
      if (nb !== null) {
        const db = scratch(dy.backend, size, dtype)
        dy.backend.mul(db.buf, dy.buf, as.buf, size, dtype)
        nb.give(db, dtype)
      }
    }
  }
  return y
}
