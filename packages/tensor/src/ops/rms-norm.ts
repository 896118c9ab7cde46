import { Recomputed } from '../tensor/saved.js'
import { isForwardOnly, record, scratch } from '../tensor/tape.js'
import { empty, emptyLike, type Tensor } from '../tensor/tensor.js'
import { cast } from './cast.js'
import { expectDType, expectVector, floatOf } from './check.js'

/**
 * y = x / sqrt(mean(x²) + eps) · w over the last dimension (Zhang & Sennrich 2019, arXiv:1910.07467). x [..., C], w [C]
 * -> [..., C]. Statistics in f32. Saves x, w and the f32 factor of each row, which is also what gradients that read y compute it
 * from again. Without gradients x may be f32 beside a w of 16 bits, which y has the dtype of.
 */
export function rmsNorm(x: Tensor, w: Tensor, eps: number): Tensor {
  const dtype = floatOf('rmsNorm', 'x', x)
  const narrow = floatOf('rmsNorm', 'w', w)
  if (dtype === 'f32' && narrow !== 'f32' && isForwardOnly())
    return cast(rmsNorm(x, cast(w, 'f32'), eps), narrow)
  const cols = x.dim(-1)
  const rows = x.size / cols
  expectVector('rmsNorm', 'w', w, cols, x)
  expectDType('rmsNorm', 'w', w, dtype)
  const y = emptyLike(x)
  const stats = empty(x.backend, [rows], 'f32')
  const rstd = stats.storage
  x.backend.rmsNorm(y.buf, rstd.buf, x.buf, w.buf, rows, cols, eps, dtype)

  const nx = x.node
  const nw = w.node
  const node = record('rmsNorm', y, nx, nw)
  if (node !== null) {
    const xs = x.storage
    const ws = w.storage
    node.save(xs, ws, rstd)
    y.recomputed = new Recomputed(x.backend, y.bytes, [xs, ws, rstd], (values) => {
      x.backend.rmsNorm(values, rstd.buf, xs.buf, ws.buf, rows, cols, eps, dtype)
    })
    node.run = (dy) => {
      const backend = dy.backend
      // The kernel always writes dx, in dtype, and adds to dw, in f32.
      const direct = nx !== null && nx.dtype === dtype
      const beta = direct ? nx.open() : 0
      const dx = direct ? nx.grad! : scratch(backend, rows * cols, dtype)
      const dw = nw === null ? null : nw.dtype === 'f32' ? nw.openToAdd() : scratch(backend, cols, 'f32')
      if (nw !== null && dw !== nw.grad) dw!.zero = true
      backend.rmsNormBackward(
        dx.buf,
        dw === null ? null : dw.buf,
        dy.buf,
        xs.buf,
        ws.buf,
        rstd.buf,
        rows,
        cols,
        dtype,
        beta,
      )
      if (nw !== null && dw !== null && nw.dtype !== 'f32') nw.give(dw, 'f32')
      if (!direct) {
        if (nx === null) dx.release()
        else nx.give(dx, dtype)
      }
    }
  }
  stats.release()
  return y
}
