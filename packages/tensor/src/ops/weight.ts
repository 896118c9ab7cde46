import type { Accumulate, Buf } from '../backend.js'
import type { FloatDType } from '../dtype.js'
import { QuantizedTensor } from '../tensor/quantized-tensor.js'
import { isForwardOnly, scratch, type GradNode } from '../tensor/tape.js'
import { describe, type Tensor } from '../tensor/tensor.js'
import { expectDevice, expectDType, expectRank } from './check.js'

/** A weight that a layer multiplies by: numbers, or a frozen matrix in few bits. */
export type Weight = Tensor | QuantizedTensor

/**
 * Rows up to which a quantised weight is multiplied as it is, without being written out: in decoding. A training step, of which
 * a micro-batch may be as short, is that on the written-out values to the last bit.
 */
const fusedRows = 16

/** A weight as a product and its gradient use it, also after its tensor was released. */
export interface HeldWeight {
  readonly node: GradNode | null
  readonly name: string
  /** Keeps it alive until the backward of `node` is done. */
  save(node: GradNode): void
  /** Calls `use` with the values [M, K] in `dtype`; those of a quantised weight exist for the call only. */
  read(use: (values: Buf) => void): void
  /** y = x wᵀ (+ y) (+ bias) by the kernel for few rows, or false when that is not the one to use. */
  few(y: Buf, x: Buf, bias: Buf | null, rows: number, beta: Accumulate, outDtype: FloatDType): boolean
}

/** Checks a weight [M, K] against the input x. */
export function heldWeight(op: string, w: Weight, x: Tensor, dtype: FloatDType): HeldWeight {
  if (w instanceof QuantizedTensor) {
    expectDevice(op, 'w', w, x)
    const { backend, matrix, storages } = w
    const size = matrix.rows * matrix.cols
    return {
      node: null,
      name: `${w.format} [${w.shape.join(', ')}]`,
      save(node) {
        for (const storage of storages) node.save(storage)
      },
      read(use) {
        const values = scratch(backend, size, dtype)
        try {
          backend.dequantize(values.overwrite(), matrix, dtype)
          use(values.buf)
        } finally {
          values.release()
        }
      },
      few(y, x, bias, rows, beta, outDtype) {
        if (rows > fusedRows || !isForwardOnly()) return false
        backend.quantizedProduct(y, x, matrix, bias, { m: rows, beta, dtype, outDtype })
        return true
      },
    }
  }
  expectRank(op, 'w', w, 2, '[M, K]')
  expectDType(op, 'w', w, dtype)
  expectDevice(op, 'w', w, x)
  const { storage } = w
  return {
    node: w.node,
    name: describe(w),
    save(node) {
      node.save(storage)
    },
    read(use) {
      use(storage.buf)
    },
    few: () => false,
  }
}
