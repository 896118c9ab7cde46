import { record } from '../tensor/tape.js'
import { describe, empty, type Tensor } from '../tensor/tensor.js'
import { expectDevice, expectDType, expectRank, floatOf, shapeError } from './check.js'

export interface MatmulOptions {
  readonly transA?: boolean | undefined
  readonly transB?: boolean | undefined
  readonly alpha?: number | undefined
}

/**
 * y = alpha · op(a) op(b). a [m, k] ([k, m] with transA), b [k, n] ([n, k] with transB) -> [m, n]. Saves each input that
 * the other's gradient needs.
 */
export function matmul(a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  const dtype = floatOf('matmul', 'a', a)
  expectRank('matmul', 'a', a, 2, 'two dimensions')
  expectRank('matmul', 'b', b, 2, 'two dimensions')
  expectDType('matmul', 'b', b, dtype)
  expectDevice('matmul', 'b', b, a)
  const transA = options.transA ?? false
  const transB = options.transB ?? false
  const alpha = options.alpha ?? 1
  const m = a.shape[transA ? 1 : 0]!
  const k = a.shape[transA ? 0 : 1]!
  const n = b.shape[transB ? 0 : 1]!
  if (b.shape[transB ? 1 : 0] !== k) {
    throw shapeError(
      'matmul',
      `inner dimensions differ: a ${describe(a)}${transA ? ' transposed' : ''}, b ${describe(b)}${transB ? ' transposed' : ''}`,
    )
  }
  const y = empty(a.backend, [m, n], dtype)
  a.backend.gemm(y.buf, a.buf, b.buf, null, {
    m,
    n,
    k,
    transA,
    transB,
    alpha,
    beta: 0,
    dtype,
    outDtype: dtype,
  })

  const na = a.node
  const nb = b.node
  const node = record('matmul', y, na, nb)
  if (node !== null) {
    const as = a.storage
    const bs = b.storage
    node.save(na === null ? null : bs, nb === null ? null : as)
    node.run = (dy) => {
      const backend = dy.backend
      if (na !== null) {
        const beta = na.open()
        const common = { alpha, beta, dtype, outDtype: na.dtype }
        if (transA)
          backend.gemm(na.grad!.buf, bs.buf, dy.buf, null, {
            m: k,
            n: m,
            k: n,
            transA: transB,
            transB: true,
            ...common,
          })
        else
          backend.gemm(na.grad!.buf, dy.buf, bs.buf, null, {
            m,
            n: k,
            k: n,
            transA: false,
            transB: !transB,
            ...common,
          })
      }
      if (nb !== null) {
        const beta = nb.open()
        const common = { alpha, beta, dtype, outDtype: nb.dtype }
        if (transB)
          backend.gemm(nb.grad!.buf, dy.buf, as.buf, null, {
            m: n,
            n: k,
            k: m,
            transA: true,
            transB: transA,
            ...common,
          })
        else
          backend.gemm(nb.grad!.buf, as.buf, dy.buf, null, {
            m: k,
            n,
            k: m,
            transA: !transA,
            transB: false,
            ...common,
          })
      }
    }
  }
  return y
}
