import type { FloatDType } from '../dtype.js'
import { record, scratch } from '../tensor/tape.js'
import { describe, empty, type Tensor } from '../tensor/tensor.js'
import { expectDevice, expectDType, expectRank, expectVector, floatOf, shapeError } from './check.js'
import { heldWeight, type Weight } from './weight.js'
import { addedTo, biasGradient, type LinearOptions } from './linear.js'
import { nn, nt, tn } from './products.js'

export interface LowRankOptions extends Pick<LinearOptions, 'bias' | 'addTo'> {
  /** Factor of the low-rank part. */
  readonly scale: number
  /** [N, K], what the low-rank part reads in the place of x: x with dropout. */
  readonly dropped?: Tensor | undefined
}

/**
 * y = x wᵀ + scale · (dropped aᵀ) bᵀ (+ bias) (+ addTo): a layer with a low-rank addition (Hu et al. 2021,
 * arXiv:2106.09685) that costs no passes over y or the gradient of x of its own. x [N, K], w [M, K], a [r, K], b [M, r]
 * -> [N, M]. Saves w, a, b, the rank's [N, r], `dropped`, and x when w is trained too.
 */
export function lowRankLinear(x: Tensor, w: Weight, a: Tensor, b: Tensor, options: LowRankOptions): Tensor {
  const { bias, addTo, scale, dropped = x } = options
  const op = 'lowRankLinear'
  const dtype = floatOf(op, 'x', x)
  expectRank(op, 'x', x, 2, '[N, K]')
  const weight = heldWeight(op, w, x, dtype)
  expectRank(op, 'a', a, 2, '[r, K]')
  expectRank(op, 'b', b, 2, '[M, r]')
  const n = x.shape[0]!
  const k = x.shape[1]!
  const m = w.shape[0]
  const r = a.shape[0]!
  if (w.shape[1] !== k)
    throw shapeError(op, `w expected [M, ${k}] for x ${describe(x)}, found ${weight.name}`)
  if (a.shape[1] !== k)
    throw shapeError(op, `a expected [r, ${k}] for x ${describe(x)}, found ${describe(a)}`)
  if (b.shape[0] !== m || b.shape[1] !== r)
    throw shapeError(
      op,
      `b expected [${m}, ${r}] for w ${weight.name} and a ${describe(a)}, found ${describe(b)}`,
    )
  if (dropped.shape[0] !== n || dropped.shape[1] !== k)
    throw shapeError(op, `dropped expected ${describe(x)}, found ${describe(dropped)}`)
  expectOperand(op, 'a', a, x, dtype)
  expectOperand(op, 'b', b, x, dtype)
  expectOperand(op, 'dropped', dropped, x, dtype)
  if (bias !== undefined) {
    expectVector(op, 'bias', bias, m, x)
    expectDType(op, 'bias', bias, dtype)
  }
  const { backend } = x
  const low = empty(backend, [n, r], dtype)
  backend.gemm(low.buf, dropped.buf, a.buf, null, nt(n, r, k, 1, 0, dtype, dtype))
  const to = addedTo(op, addTo, x, [n, m], addTo === undefined ? dtype : floatOf(op, 'addTo', addTo))
  const { y, beta, residual } = to
  const yBuf = y.storage.overwrite()
  const biasBuf = bias === undefined ? null : bias.buf
  const outDtype = y.dtype as typeof dtype
  if (weight.few(yBuf, x.buf, biasBuf, n, beta, outDtype)) {
    backend.gemm(yBuf, low.buf, b.buf, null, nt(n, m, r, scale, 1, dtype, outDtype))
  } else {
    weight.read((values) => {
      const plus = { a: low.buf, b: b.buf, k: r, alpha: scale }
      backend.gemm(yBuf, x.buf, values, biasBuf, nt(n, m, k, 1, beta, dtype, outDtype, plus))
    })
  }

  const nx = x.node
  const nw = weight.node
  const na = a.node
  const nb = b.node
  const nd = dropped.node
  const nbias = bias?.node ?? null
  const node = record(op, y, nx, na, nb)
  if (node !== null) {
    if (residual !== null) node.link(residual)
    if (nw !== null) node.link(nw)
    if (nbias !== null) node.link(nbias)
    if (nd !== null && nd !== nx) node.link(nd)
    node.dtype = dtype
    const xs = x.storage
    const as = a.storage
    const bs = b.storage
    const ds = dropped.storage
    const ls = low.storage
    node.save(ls)
    node.save(bs)
    if (nx !== null) weight.save(node)
    if (nx !== null || nd !== null) node.save(as)
    if (na !== null) node.save(ds)
    if (nw !== null) node.save(xs)
    node.run = (dy) => {
      // d low [N, r] = scale · dy b
      const dlow = scratch(backend, n * r, dtype)
      backend.gemm(dlow.overwrite(), dy.buf, bs.buf, null, nn(n, r, m, scale, 0, dtype, dtype))
      if (nb !== null) {
        const beta = nb.open()
        backend.gemm(nb.grad!.buf, dy.buf, ls.buf, null, tn(m, r, n, scale, beta, dtype, nb.dtype))
      }
      if (na !== null) {
        const beta = na.open()
        backend.gemm(na.grad!.buf, dlow.buf, ds.buf, null, tn(r, k, n, 1, beta, dtype, na.dtype))
      }
      if (nw !== null) {
        const beta = nw.open()
        backend.gemm(nw.grad!.buf, dy.buf, xs.buf, null, tn(m, k, n, 1, beta, dtype, nw.dtype))
      }
      if (nd !== null && nd !== nx) {
        const beta = nd.open()
        backend.gemm(nd.grad!.buf, dlow.buf, as.buf, null, nn(n, k, r, 1, beta, dtype, nd.dtype))
      }
      if (nx !== null) {
        const beta = nx.open()
        const plus = nd === nx ? { a: dlow.buf, b: as.buf, k: r, alpha: 1 } : undefined
        weight.read((values) => {
          backend.gemm(nx.grad!.buf, dy.buf, values, null, nn(n, k, m, 1, beta, dtype, nx.dtype, plus))
        })
      }
      dlow.release()
      if (nbias !== null) biasGradient(nbias, dy, n, m, dtype)
      if (residual !== null) residual.give(dy.retain(), dtype)
    }
  }
  low.release()
  to.done()
  return y
}

function expectOperand(op: string, argument: string, t: Tensor, like: Tensor, dtype: FloatDType): void {
  expectDType(op, argument, t, dtype)
  expectDevice(op, argument, t, like)
}
