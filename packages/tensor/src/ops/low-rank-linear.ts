import type { Storage } from '../tensor/storage.js'
import { type GradNode, record, scratch } from '../tensor/tape.js'
import { describe, empty, type Tensor } from '../tensor/tensor.js'
import { expectDevice, expectDType, expectRank, expectVector, floatOf, shapeError } from './check.js'
import { heldWeight, type Weight } from './weight.js'
import { addedTo, biasGradient, type LinearOptions } from './linear.js'

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
  const [n, k, m, r] = [x.shape[0]!, x.shape[1]!, w.shape[0], a.shape[0]!]
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
  for (const [name, t] of Object.entries({ a, b, dropped })) {
    expectDType(op, name, t, dtype)
    expectDevice(op, name, t, x)
  }
  if (bias !== undefined) {
    expectVector(op, 'bias', bias, m, x)
    expectDType(op, 'bias', bias, dtype)
  }
  const { backend } = x
  const low = empty(backend, [n, r], dtype)
  const down = {
    m: n,
    n: r,
    k,
    transA: false,
    transB: true,
    alpha: 1,
    beta: 0,
    dtype,
    outDtype: dtype,
  } as const
  backend.gemm(low.buf, dropped.buf, a.buf, null, down)
  const to = addedTo(op, addTo, x, [n, m], addTo === undefined ? dtype : floatOf(op, 'addTo', addTo))
  const { y, beta, residual } = to
  const yBuf = y.storage.overwrite()
  const biasBuf = bias === undefined ? null : bias.buf
  const outDtype = y.dtype as typeof dtype
  const across = { m: n, n: m, transA: false, transB: true, dtype, outDtype } as const
  if (weight.few(yBuf, x.buf, biasBuf, n, beta, outDtype)) {
    backend.gemm(yBuf, low.buf, b.buf, null, { ...across, k: r, alpha: scale, beta: 1 })
  } else {
    weight.read((values) => {
      const plus = { a: low.buf, b: b.buf, k: r, alpha: scale }
      backend.gemm(yBuf, x.buf, values, biasBuf, { ...across, k, alpha: 1, beta, plus })
    })
  }

  const [nx, nw, na, nb, nd] = [x.node, weight.node, a.node, b.node, dropped.node]
  const nbias = bias?.node ?? null
  const node = record(op, y, nx, na, nb)
  if (node !== null) {
    for (const other of [residual, nw, nbias, nd === nx ? null : nd]) if (other !== null) node.link(other)
    node.dtype = dtype
    const [xs, as, bs, ds, ls] = [x.storage, a.storage, b.storage, dropped.storage, low.storage]
    node.save(ls)
    node.save(bs)
    if (nx !== null) weight.save(node)
    if (nx !== null || nd !== null) node.save(as)
    if (na !== null) node.save(ds)
    if (nw !== null) node.save(xs)
    node.run = (dy) => {
      // d low [N, r] = scale · dy b
      const dlow = scratch(backend, n * r, dtype)
      const up = { m: n, n: r, k: m, transA: false, transB: false, alpha: scale, beta: 0 as const, dtype }
      backend.gemm(dlow.overwrite(), dy.buf, bs.buf, null, { ...up, outDtype: dtype })
      if (nb !== null) weightGradient(nb, dy, ls, { m, n: r, k: n, alpha: scale })
      if (na !== null) weightGradient(na, dlow, ds, { m: r, n: k, k: n, alpha: 1 })
      if (nw !== null) weightGradient(nw, dy, xs, { m, n: k, k: n, alpha: 1 })
      const back = { m: n, n: k, transA: false, transB: false, alpha: 1, dtype } as const
      if (nd !== null && nd !== nx) {
        const beta = nd.open()
        backend.gemm(nd.grad!.buf, dlow.buf, as.buf, null, { ...back, k: r, beta, outDtype: nd.dtype })
      }
      if (nx !== null) {
        const beta = nx.open()
        const plus = nd === nx ? { a: dlow.buf, b: as.buf, k: r, alpha: 1 } : undefined
        weight.read((values) => {
          const to = nx.grad!.buf
          backend.gemm(to, dy.buf, values, null, { ...back, k: m, beta, outDtype: nx.dtype, plus })
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

  /** dw (+)= alpha · xᵀ z. */
  function weightGradient(
    to: GradNode,
    x: Storage,
    z: Storage,
    size: { m: number; n: number; k: number; alpha: number },
  ): void {
    const beta = to.open()
    const rest = { transA: true, transB: false, beta, dtype, outDtype: to.dtype }
    backend.gemm(to.grad!.buf, x.buf, z.buf, null, { ...size, ...rest })
  }
}
