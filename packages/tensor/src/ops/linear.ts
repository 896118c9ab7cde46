import type { Accumulate } from '../backend.js'
import type { FloatDType } from '../dtype.js'
import type { Storage } from '../tensor/storage.js'
import { type GradNode, record, scratch } from '../tensor/tape.js'
import { describe, empty, Tensor } from '../tensor/tensor.js'
import { expectDevice, expectDType, expectRank, expectVector, floatOf, shapeError } from './check.js'
import { nn, nt, tn } from './products.js'
import { heldWeight, type Weight } from './weight.js'

export interface LinearOptions {
  /** [M] */
  readonly bias?: Tensor | undefined
  readonly alpha?: number | undefined
  /**
   * [N, M], added to the product. It is given away: when a scope owns it, it is released, and y takes its storage
   * when nobody else holds that.
   */
  readonly addTo?: Tensor | undefined
  /** Of y: that of addTo, or of x, when omitted. */
  readonly outDtype?: FloatDType | undefined
}

/**
 * y = alpha · x wᵀ (+ bias) (+ addTo). x [N, K], w [M, K] -> [N, M]. Saves w when x needs a gradient, x when w does;
 * a frozen layer keeps no activation. A quantised w multiplies as `w.dequantize(x.dtype)`, written out for each product, or
 * unrounded for few rows inside `noGrad` (`Backend.quantizedRows`), for any number of rows where they are invariant. Other products with an
 * int8 w, and gradients of x, multiply in int8 where the device does (`Backend.int8Products`). With f32 output of bf16 inputs the gradient of y is in the inputs' dtype.
 */
export function linear(x: Tensor, w: Weight, options: LinearOptions = {}): Tensor {
  const dtype = floatOf('linear', 'x', x)
  expectRank('linear', 'x', x, 2, '[N, K]')
  const n = x.shape[0]!
  const k = x.shape[1]!
  const m = w.shape[0]
  const weight = heldWeight('linear', w, x, dtype)
  if (w.shape[1] !== k)
    throw shapeError('linear', `w expected [M, ${k}] for x ${describe(x)}, found ${weight.name}`)
  const { bias, addTo } = options
  const alpha = options.alpha ?? 1
  if (bias !== undefined) {
    expectVector('linear', 'bias', bias, m, x)
    expectDType('linear', 'bias', bias, dtype)
  }
  const outDtype = options.outDtype ?? (addTo === undefined ? dtype : floatOf('linear', 'addTo', addTo))

  const y = destinationOf('linear', addTo, x, n, m, outDtype)
  const beta = accumulation(addTo)
  const residual = addTo?.node ?? null
  const yBuf = y.storage.overwrite()
  const biasBuf = bias === undefined ? null : bias.buf
  if (alpha !== 1 || !weight.few(yBuf, x.buf, biasBuf, n, beta, outDtype)) {
    weight.read((values) => {
      x.backend.gemm(yBuf, x.buf, values, biasBuf, nt(n, m, k, alpha, beta, dtype, outDtype))
    })
  }

  const nx = x.node
  const nw = weight.node
  const nb = bias?.node ?? null
  const node = record('linear', y, nx, nw, nb, residual)
  if (node !== null) {
    node.dtype = dtype
    const xs = x.saved
    if (nw !== null) node.save(xs)
    if (nx !== null) weight.save(node)
    node.run = (dy) => {
      const backend = dy.backend
      if (nx !== null) {
        const accumulate = nx.open()
        weight.read((values) => {
          backend.gemm(nx.grad!.buf, dy.buf, values, null, nn(n, k, m, alpha, accumulate, dtype, nx.dtype))
        })
      }
      if (nw !== null) {
        const accumulate = nw.open()
        backend.gemm(nw.grad!.buf, dy.buf, xs.buf, null, tn(m, k, n, alpha, accumulate, dtype, nw.dtype))
      }
      if (nb !== null) biasGradient(nb, dy, n, m, dtype)
      if (residual !== null) residual.give(dy.retain(), dtype)
    }
  }
  releaseGiven(addTo)
  return y
}

/**
 * Where a product of shape [n, m] goes that is added to `addTo` when there is one: a tensor that holds addTo and may be
 * written, in addTo's own storage when nobody else reads that again.
 */
export function destinationOf(
  op: string,
  addTo: Tensor | undefined,
  x: Tensor,
  n: number,
  m: number,
  dtype: FloatDType,
): Tensor {
  if (addTo === undefined) return empty(x.backend, [n, m], dtype)
  if (addTo.shape.length !== 2 || addTo.shape[0] !== n || addTo.shape[1] !== m) {
    throw shapeError(op, `addTo expected [${n}, ${m}], found ${describe(addTo)}`)
  }
  expectDType(op, 'addTo', addTo, dtype)
  expectDevice(op, 'addTo', addTo, x)
  const storage = addTo.storage
  if (givenAway(addTo) && storage.exclusive) return new Tensor(storage.retain(), [n, m], dtype, n * m)
  const y = empty(addTo.backend, [n, m], dtype)
  if (!storage.zero) y.backend.copy2d(y.buf, 0, m, storage.buf, 0, m, n, m, dtype, 0)
  return y
}

/** Whether a product adds to what its destination holds. */
export const accumulation = (addTo: Tensor | undefined): Accumulate =>
  addTo === undefined || addTo.storage.zero ? 0 : 1

/** Releases what was given away, when its product is queued. */
export function releaseGiven(addTo: Tensor | undefined): void {
  if (addTo !== undefined && givenAway(addTo)) addTo.release()
}

const givenAway = (t: Tensor): boolean => t.state === 'scope' && !t.held

/** db [M] += sum over rows of dy [N, M]. */
export function biasGradient(nb: GradNode, dy: Storage, n: number, m: number, dtype: FloatDType): void {
  if (nb.dtype === 'f32') {
    const accumulate = nb.open()
    dy.backend.sumRows(nb.grad!.buf, dy.buf, n, m, dtype, accumulate)
  } else {
    const sum = scratch(dy.backend, m, 'f32')
    dy.backend.sumRows(sum.overwrite(), dy.buf, n, m, dtype, 0)
    nb.give(sum, 'f32')
  }
}
