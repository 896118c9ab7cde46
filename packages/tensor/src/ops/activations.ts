import type { Unary } from '../backend.js'
import { record, scratch } from '../tensor/tape.js'
import { emptyLike, type Tensor } from '../tensor/tensor.js'
import { floatOf } from './check.js'

/** y = f(x), element by element. Saves x. */
function unary(op: string, kind: Unary, x: Tensor): Tensor {
  const dtype = floatOf(op, 'x', x)
  const y = emptyLike(x)
  const size = x.size
  x.backend.unary(kind, y.buf, x.buf, size, dtype)

  const nx = x.node
  const node = record(op, y, nx)
  if (node !== null && nx !== null) {
    const xs = x.storage
    node.save(xs)
    node.run = (dy) => {
      const dx = scratch(dy.backend, size, dtype)
      dy.backend.unaryBackward(kind, dx.buf, dy.buf, xs.buf, size, dtype)
      nx.give(dx, dtype)
    }
  }
  return y
}

/** Gaussian error linear unit (Hendrycks & Gimpel 2016, arXiv:1606.08415), exact or by its tanh approximation. */
export const gelu = (x: Tensor, approximation: 'tanh' | 'erf'): Tensor =>
  unary('gelu', approximation === 'tanh' ? 'geluTanh' : 'geluErf', x)

/** x · sigmoid(x), any shape. */
export const silu = (x: Tensor): Tensor => unary('silu', 'silu', x)

/** max(x, 0), any shape. */
export const relu = (x: Tensor): Tensor => unary('relu', 'relu', x)

/** Hyperbolic tangent, any shape. */
export const tanh = (x: Tensor): Tensor => unary('tanh', 'tanh', x)

/** 1 / (1 + exp(-x)), any shape. */
export const sigmoid = (x: Tensor): Tensor => unary('sigmoid', 'sigmoid', x)
