import type { Buf, Gradient, LowRank, QuantizedMatrix } from '../backend.js'
import type { FloatDType } from '../dtype.js'
import { QuantizedTensor } from '../tensor/quantized-tensor.js'
import { isForwardOnly, scratch, type GradNode, record } from '../tensor/tape.js'
import { describe, empty, type Tensor } from '../tensor/tensor.js'
import { expectDevice, expectDType, expectRank, expectVector, floatOf, shapeError } from './check.js'
import { heldWeight, type Weight } from './weight.js'
import { accumulation, biasGradient, destinationOf, releaseGiven, type LinearOptions } from './linear.js'
import { nt, tn } from './products.js'

export interface LowRankOptions extends Pick<LinearOptions, 'bias' | 'addTo'> {
  /** Factor of the low-rank part. */
  readonly scale: number
  /** [N, K], input of the low-rank part in place of x: x with dropout. */
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
  const y = destinationOf(op, addTo, x, n, m, addTo === undefined ? dtype : floatOf(op, 'addTo', addTo))
  const beta = accumulation(addTo)
  const residual = addTo?.node ?? null
  const yBuf = y.storage.overwrite()
  const biasBuf = bias === undefined ? null : bias.buf
  const outDtype = y.dtype as typeof dtype
  if (backend.invariantRows === true && w instanceof QuantizedTensor && isForwardOnly()) {
    // As the device does it with plain numbers: both parts in f32, their sum rounded once.
    const [own, rest] = [scratch(backend, n * m, 'f32'), scratch(backend, n * m, 'f32')]
    if (beta === 1) backend.cast(own.buf, yBuf, n * m, 'f32', outDtype)
    weight.few(own.buf, x.buf, biasBuf, n, beta, 'f32')
    backend.gemm(low.buf, dropped.buf, a.buf, null, nt(n, r, k, 1, 0, dtype, dtype))
    backend.gemm(rest.buf, low.buf, b.buf, null, nt(n, m, r, scale, 0, dtype, 'f32'))
    backend.axpby(own.buf, 1, own.buf, 1, rest.buf, n * m, 'f32')
    backend.cast(yBuf, own.buf, n * m, outDtype, 'f32')
    own.release()
    rest.release()
  } else if (weight.few(yBuf, x.buf, biasBuf, n, beta, outDtype)) {
    backend.gemm(low.buf, dropped.buf, a.buf, null, nt(n, r, k, 1, 0, dtype, dtype))
    backend.gemm(yBuf, low.buf, b.buf, null, nt(n, m, r, scale, 1, dtype, outDtype))
  } else {
    weight.read((values) => {
      const p = { n, k, m, r, scale, dtype, beta, outDtype }
      backend.lowRank(yBuf, low.buf, x.buf, dropped.buf, values, a.buf, b.buf, biasBuf, p)
    })
  }

  const nx = x.node
  const nw = weight.node
  const na = a.node
  const nb = b.node
  const nd = dropped.node
  const nbias = bias?.node ?? null
  const node = record(op, y, nx, nd === nx ? null : nd, na, nb, nw, nbias, residual)
  if (node !== null) {
    node.dtype = dtype
    const xs = x.saved
    const as = a.storage
    const bs = b.storage
    const ds = dropped.saved
    const ls = low.storage
    node.save(ls, as, bs, na === null ? null : ds, nw === null ? null : xs)
    if (nx !== null) weight.save(node)
    node.run = (dy) => {
      if (nw !== null) {
        const beta = nw.open()
        backend.gemm(nw.grad!.buf, dy.buf, xs.buf, null, tn(m, k, n, 1, beta, dtype, nw.dtype))
      }
      const joined = nd === nx
      const wanted = { x: opened(nx), z: joined ? null : opened(nd), a: opened(na), b: opened(nb), joined }
      const p: LowRank = { n, k, m, r, scale, dtype }
      const zBuf = na === null ? null : ds.buf
      const enqueue = (w: Buf | QuantizedMatrix | null) =>
        backend.lowRankBackward(wanted, dy.buf, zBuf, ls.buf, w, as.buf, bs.buf, p)
      if (nx === null) enqueue(null)
      else weight.read(enqueue)
      if (nbias !== null) biasGradient(nbias, dy, n, m, dtype)
      if (residual !== null) residual.give(dy.retain(), dtype)
    }
  }
  low.release()
  releaseGiven(addTo)
  return y
}

/** A gradient that is wanted, ready to be written. */
function opened(node: GradNode | null): Gradient | null {
  if (node === null) return null
  const beta = node.open()
  return { buf: node.grad!.buf, beta, dtype: node.dtype }
}

function expectOperand(op: string, argument: string, t: Tensor, like: Tensor, dtype: FloatDType): void {
  expectDType(op, argument, t, dtype)
  expectDevice(op, argument, t, like)
}
