import type { Backend } from '../backend.js'
import { IftError } from '../errors.js'
import { abandon, enter, leave } from '../tensor/lifetime.js'
import { scope } from '../tensor/scope.js'
import { record, withMode } from '../tensor/tape.js'
import { describe, Tensor } from '../tensor/tensor.js'
import { floatOf } from './check.js'

/** An operation of a third party. */
export interface CustomOp {
  /** Named by errors. */
  readonly name: string
  readonly inputs: readonly Tensor[]
  /**
   * Makes the output, a new float tensor, with kernels of the backend or other operations (none is recorded), and names
   * what the backward reads; the inputs when omitted.
   */
  forward(backend: Backend): { readonly output: Tensor; readonly saved?: readonly Tensor[] }
  /**
   * Gradients of the inputs, in their order, each with its input's shape and a float dtype; null for none. `dy` is like the
   * output; `saved` as forward named it. `needs[i]` says whether input i wants one.
   */
  backward(dy: Tensor, saved: readonly Tensor[], needs: readonly boolean[]): readonly (Tensor | null)[]
}

/** Runs an operation that ift does not have, and records it. */
export function custom(op: CustomOp): Tensor {
  const first = op.inputs[0]
  if (first === undefined)
    throw new IftError('IFT_SHAPE', `${op.name}: expected at least one input, found none`)
  const { output, saved } = scope(() => withMode('off', () => op.forward(first.backend)))
  floatOf(op.name, 'the output', output)
  const nodes = op.inputs.map((t) => t.node)
  const node = record(op.name, output, ...nodes)
  if (node !== null) {
    const kept = (saved ?? op.inputs).map((t) => {
      node.save(t.storage)
      return { storage: t.storage, shape: t.shape, dtype: t.dtype, size: t.size }
    })
    const expected = op.inputs.map((t) => t.shape)
    const { shape, size } = output
    const needs = nodes.map((n) => n !== null)
    const backwardOf = op.backward.bind(op)
    node.run = (dy) => {
      const start = enter()
      try {
        const again = kept.map((t) => new Tensor(t.storage.retain(), t.shape, t.dtype, t.size))
        const gradients = backwardOf(new Tensor(dy.retain(), shape, node.dtype, size), again, needs)
        for (let i = 0; i < nodes.length; i++) {
          const input = nodes[i]
          const gradient = gradients[i]
          if (input == null) continue
          if (gradient == null) continue
          if (gradient.size !== input.size) {
            throw new IftError(
              'IFT_SHAPE',
              `${op.name}: gradient ${i} expected [${expected[i]!.join(', ')}], found ${describe(gradient)}`,
            )
          }
          input.give(gradient.storage.retain(), floatOf(op.name, `gradient ${i}`, gradient))
        }
      } catch (error) {
        abandon(start)
        throw error
      }
      leave(start, null, null)
    }
  }
  if (saved !== undefined) for (const t of saved) if (t !== output && !op.inputs.includes(t)) t.release()
  return output
}
