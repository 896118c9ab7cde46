import { asFloat } from '../dtype.js'
import { record, scratch } from '../tensor/tape.js'
import { emptyLike, type Tensor } from '../tensor/tensor.js'
import { expectRank, expectVector, floatOf } from './check.js'

/**
 * y[n, c] = x[n, c] · s[c]. x [N, C], s [C] of any float dtype -> [N, C]. Saves s (as f32) when x needs a gradient, x when
 * s does. The gradient of s is summed in f32.
 */
export function scaleColumns(x: Tensor, s: Tensor): Tensor {
  const dtype = floatOf('scaleColumns', 'x', x)
  expectRank('scaleColumns', 'x', x, 2, '[N, C]')
  const rows = x.shape[0]!
  const cols = x.shape[1]!
  expectVector('scaleColumns', 's', s, cols, x)
  const s32 = asF32(s)
  const factors = s32.storage
  const y = emptyLike(x)
  x.backend.scaleColumns(y.buf, x.buf, factors.buf, rows, cols, dtype)

  const nx = x.node
  const ns = s.node
  const node = record('scaleColumns', y, nx, ns)
  if (node !== null) {
    const xs = x.saved
    if (nx !== null) node.save(factors)
    if (ns !== null) node.save(xs)
    node.run = (dy) => {
      const backend = dy.backend
      if (ns !== null) {
        if (ns.dtype === 'f32')
          backend.scaleColumnsBackward(ns.openToAdd().buf, dy.buf, xs.buf, rows, cols, dtype)
        else {
          const ds = scratch(backend, cols, 'f32')
          ds.zero = true
          backend.scaleColumnsBackward(ds.buf, dy.buf, xs.buf, rows, cols, dtype)
          ns.give(ds, 'f32')
        }
      }
      if (nx !== null) {
        const dx = scratch(backend, rows * cols, dtype)
        backend.scaleColumns(dx.buf, dy.buf, factors.buf, rows, cols, dtype)
        nx.give(dx, dtype)
      }
    }
  }
  s32.release()
  return y
}

function asF32(s: Tensor): Tensor {
  if (s.dtype === 'f32') return s.alias()
  const factors = emptyLike(s, 'f32')
  s.backend.cast(factors.buf, s.buf, s.size, 'f32', asFloat(s.dtype, 'scaleColumns'))
  return factors
}
