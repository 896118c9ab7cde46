import { itemSize } from '../dtype.js'
import { IftError } from '../errors.js'
import { record } from '../tensor/tape.js'
import { describe, empty, type Tensor } from '../tensor/tensor.js'
import { expectDevice, expectDType, floatOf } from './check.js'

/** Tensors one under the other. Each [n_i, ...rest] -> [sum of n_i, ...rest]. Saves nothing. */
export function concatRows(tensors: readonly Tensor[]): Tensor {
  const first = tensors[0]
  if (first === undefined)
    throw new IftError('IFT_SHAPE', 'concatRows: expected at least one tensor, found none')
  const dtype = floatOf('concatRows', 'tensors[0]', first)
  const cols = first.size / first.dim(0)
  let rows = 0
  for (let i = 0; i < tensors.length; i++) {
    const t = tensors[i]!
    if (t.shape.length !== first.shape.length || t.shape.some((d, j) => j > 0 && d !== first.shape[j])) {
      throw new IftError(
        'IFT_SHAPE',
        `concatRows: tensors[${i}] expected [n, ${first.shape.slice(1).join(', ')}], found ${describe(t)}`,
      )
    }
    expectDType('concatRows', `tensors[${i}]`, t, dtype)
    expectDevice('concatRows', `tensors[${i}]`, t, first)
    rows += t.dim(0)
  }
  const y = empty(first.backend, [rows, ...first.shape.slice(1)], dtype)
  let at = 0
  for (const t of tensors) {
    y.backend.copy2d(y.buf, at, t.size, t.buf, 0, t.size, 1, t.size, dtype, 0)
    at += t.size
  }

  const nodes = tensors.map((t) => t.node)
  const node = record('concatRows', y, ...nodes)
  if (node !== null) {
    const counts = tensors.map((t) => t.dim(0))
    node.run = (dy) => {
      let row = 0
      for (let i = 0; i < nodes.length; i++) {
        const count = counts[i]!
        const bytes = cols * itemSize(dtype)
        nodes[i]?.give(dy.view(row * bytes, count * bytes), dtype)
        row += count
      }
    }
  }
  return y
}
