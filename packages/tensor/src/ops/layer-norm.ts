import { Recomputed } from '../tensor/saved.js'
import type { Storage } from '../tensor/storage.js'
import { type GradNode, isForwardOnly, record, scratch } from '../tensor/tape.js'
import { empty, emptyLike, type Tensor } from '../tensor/tensor.js'
import { cast } from './cast.js'
import { expectDType, expectVector, floatOf } from './check.js'

/**
 * y = (x - mean) / sqrt(var + eps) · w + b over the last dimension (Ba et al. 2016, arXiv:1607.06450). x [..., C], w and
 * b [C] -> [..., C]. Statistics in f32. Saves x, w and the f32 mean and factor of each row, which is also what gradients that
 * read y compute it from again. Without gradients x may be f32 beside w and b of 16 bits, which y has the dtype of.
 */
export function layerNorm(x: Tensor, w: Tensor, b: Tensor, eps: number): Tensor {
  const dtype = floatOf('layerNorm', 'x', x)
  const narrow = floatOf('layerNorm', 'w', w)
  if (dtype === 'f32' && narrow !== 'f32' && isForwardOnly())
    return cast(layerNorm(x, cast(w, 'f32'), cast(b, 'f32'), eps), narrow)
  const cols = x.dim(-1)
  const rows = x.size / cols
  expectVector('layerNorm', 'w', w, cols, x)
  expectVector('layerNorm', 'b', b, cols, x)
  expectDType('layerNorm', 'w', w, dtype)
  expectDType('layerNorm', 'b', b, dtype)
  const y = emptyLike(x)
  const means = empty(x.backend, [rows], 'f32')
  const rstds = empty(x.backend, [rows], 'f32')
  const mean = means.storage
  const rstd = rstds.storage
  x.backend.layerNorm(y.buf, mean.buf, rstd.buf, x.buf, w.buf, b.buf, rows, cols, eps, dtype)

  const nx = x.node
  const nw = w.node
  const nb = b.node
  const node = record('layerNorm', y, nx, nw, nb)
  if (node !== null) {
    const xs = x.storage
    const ws = w.storage
    node.save(xs, ws, mean, rstd)
    const bs = b.storage
    y.recomputed = new Recomputed(x.backend, y.bytes, [xs, ws, bs, mean, rstd], (values) => {
      x.backend.layerNorm(values, mean.buf, rstd.buf, xs.buf, ws.buf, bs.buf, rows, cols, eps, dtype)
    })
    node.run = (dy) => {
      const backend = dy.backend
      const direct = nx !== null && nx.dtype === dtype
      const beta = direct ? nx.open() : 0
      const dx = direct ? nx.grad! : scratch(backend, rows * cols, dtype)
      const dw = sumOf(nw, cols)
      const db = sumOf(nb, cols)
      backend.layerNormBackward(
        dx.buf,
        dw === null ? null : dw.buf,
        db === null ? null : db.buf,
        dy.buf,
        xs.buf,
        ws.buf,
        mean.buf,
        rstd.buf,
        rows,
        cols,
        dtype,
        beta,
      )
      if (nw !== null && dw !== null && nw.dtype !== 'f32') nw.give(dw, 'f32')
      if (nb !== null && db !== null && nb.dtype !== 'f32') nb.give(db, 'f32')
      if (!direct) {
        if (nx === null) dx.release()
        else nx.give(dx, dtype)
      }
    }
  }
  means.release()
  rstds.release()
  return y
}

/** f32 [cols] that the kernel adds to: the gradient itself, or zeros to be cast later. */
function sumOf(node: GradNode | null, cols: number): Storage | null {
  if (node === null) return null
  if (node.dtype === 'f32') return node.openToAdd()
  const sum = scratch(node.backend, cols, 'f32')
  sum.zero = true
  return sum
}
