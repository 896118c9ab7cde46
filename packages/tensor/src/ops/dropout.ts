import { IftError } from '../errors.js'
import { drawStream } from '../tensor/random.js'
import { Recomputed } from '../tensor/saved.js'
import { record, scratch } from '../tensor/tape.js'
import { emptyLike, type Tensor } from '../tensor/tensor.js'
import { floatOf } from './check.js'

/**
 * Zeros elements with probability p and divides the others by 1 - p (Srivastava et al. 2014). Any shape. The mask is
 * counter-based and keyed by `withRandom`, so nothing is saved, and gradients that read y compute it from x again; x itself,
 * aliased, when p is 0.
 */
export function dropout(x: Tensor, p: number): Tensor {
  const dtype = floatOf('dropout', 'x', x)
  if (!(p >= 0 && p < 1)) throw new IftError('IFT_ARGUMENT', `dropout: p expected in [0, 1), found ${p}`)
  if (p === 0) return x.alias()
  const { seed, stream } = drawStream('dropout')
  const y = emptyLike(x)
  const size = x.size
  x.backend.dropout(y.buf, x.buf, size, p, seed, stream, dtype)

  const nx = x.node
  const node = record('dropout', y, nx)
  if (node !== null && nx !== null) {
    const xs = x.saved
    y.recomputed = new Recomputed(x.backend, y.bytes, [xs], (values) => {
      x.backend.dropout(values, xs.buf, size, p, seed, stream, dtype)
    })
    node.run = (dy) => {
      const reuse = dy.exclusive
      const dx = reuse ? dy : scratch(dy.backend, size, dtype)
      dy.backend.dropout(dx.buf, dy.buf, size, p, seed, stream, dtype)
      nx.give(reuse ? dx.retain() : dx, dtype)
    }
  }
  return y
}
