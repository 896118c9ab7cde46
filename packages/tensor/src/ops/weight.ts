import type { Accumulate, Buf, QuantizedMatrix } from '../backend.js'
import type { FloatDType } from '../dtype.js'
import { QuantizedTensor } from '../tensor/quantized-tensor.js'
import type { Storage } from '../tensor/storage.js'
import { isForwardOnly, scratch, type GradNode } from '../tensor/tape.js'
import { describe, type Tensor } from '../tensor/tensor.js'
import { expectDevice, expectDType, expectRank } from './check.js'

/** A weight that a layer multiplies by: numbers, or a frozen matrix in few bits. */
export type Weight = Tensor | QuantizedTensor

/**
 * Rows up to which a quantised weight is multiplied as it is, without being written out, where the device does not say
 * (`Backend.quantizedRows`): in decoding, and there any number of rows where they must not depend on each other
 * (`Backend.invariantRows`). A training step with such short micro-batches still
 * computes as with long ones.
 */
const quantizedRows = 16

/** A weight as a product and its gradient use it, also after its tensor was released. */
export interface HeldWeight {
  readonly node: GradNode | null
  readonly name: string
  /** Keeps it alive until the backward of `node` is done. */
  save(node: GradNode): void
  /**
   * Calls `use` with the values [M, K] in `dtype`, which exist for the call only where the weight is quantised; with an int8 matrix itself
   * where the device multiplies by it (`Backend.int8Products`).
   */
  read(use: (values: Buf | QuantizedMatrix) => void): void
  /** y = x wᵀ (+ y) (+ bias) by the kernel for few rows, or false when that is not the one to use. */
  few(y: Buf, x: Buf, bias: Buf | null, rows: number, beta: Accumulate, outDtype: FloatDType): boolean
}

/** Checks a weight [M, K] against the input x. */
export function heldWeight(op: string, w: Weight, x: Tensor, dtype: FloatDType): HeldWeight {
  if (w instanceof QuantizedTensor) {
    expectDevice(op, 'w', w, x)
    return new HeldQuantized(w, dtype)
  }
  expectRank(op, 'w', w, 2, '[M, K]')
  expectDType(op, 'w', w, dtype)
  expectDevice(op, 'w', w, x)
  return new HeldTensor(w)
}

class HeldTensor implements HeldWeight {
  readonly node: GradNode | null
  readonly #tensor: Tensor
  readonly #storage: Storage

  constructor(tensor: Tensor) {
    this.node = tensor.node
    this.#tensor = tensor
    this.#storage = tensor.storage
  }

  get name(): string {
    return describe(this.#tensor)
  }

  save(node: GradNode): void {
    node.save(this.#storage)
  }

  read(use: (values: Buf) => void): void {
    use(this.#storage.buf)
  }

  few(): boolean {
    return false
  }
}

class HeldQuantized implements HeldWeight {
  readonly node = null
  readonly #w: QuantizedTensor
  readonly #dtype: FloatDType

  constructor(w: QuantizedTensor, dtype: FloatDType) {
    this.#w = w
    this.#dtype = dtype
  }

  get name(): string {
    return `${this.#w.format} [${this.#w.shape.join(', ')}]`
  }

  save(node: GradNode): void {
    for (const storage of this.#w.storages) node.save(storage)
  }

  read(use: (values: Buf | QuantizedMatrix) => void): void {
    const { backend, matrix } = this.#w
    if (matrix.format === 'int8' && backend.int8Products === true) {
      use(matrix)
      return
    }
    const values = scratch(backend, matrix.rows * matrix.cols, this.#dtype)
    try {
      backend.dequantize(values.overwrite(), matrix, this.#dtype)
      use(values.buf)
    } finally {
      values.release()
    }
  }

  few(y: Buf, x: Buf, bias: Buf | null, m: number, beta: Accumulate, outDtype: FloatDType): boolean {
    const { backend, matrix } = this.#w
    const most = backend.invariantRows === true ? Infinity : (backend.quantizedRows ?? quantizedRows)
    if (!isForwardOnly() || m > most) return false
    backend.quantizedProduct(y, x, matrix, bias, { m, beta, dtype: this.#dtype, outDtype })
    return true
  }
}
