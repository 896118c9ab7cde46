import { Recomputed } from '../tensor/saved.js'
import { record, scratch } from '../tensor/tape.js'
import { emptyLike, type Tensor } from '../tensor/tensor.js'
import { expectLike, floatOf } from './check.js'

/**
 * y = silu(gate) · up (Shazeer 2020, arXiv:2002.05202); same shape and dtype. Saves gate and up, from which gradients that read
 * y compute it again, and whose storage becomes that of their gradients when nobody else holds it.
 */
export function swiglu(gate: Tensor, up: Tensor): Tensor {
  const dtype = floatOf('swiglu', 'gate', gate)
  expectLike('swiglu', 'up', up, gate)
  const y = emptyLike(gate)
  const size = gate.size
  gate.backend.swiglu(y.buf, gate.buf, up.buf, size, dtype)

  const ng = gate.node
  const nu = up.node
  const node = record('swiglu', y, ng, nu)
  if (node !== null) {
    const gs = gate.storage
    const us = up.storage
    node.save(gs, us)
    y.recomputed = new Recomputed(gate.backend, y.bytes, [gs, us], (values) => {
      gate.backend.swiglu(values, gs.buf, us.buf, size, dtype)
    })
    node.run = (dy) => {
      const overGate = gs.exclusive
      const overUp = us.exclusive
      const dg = overGate ? gs : scratch(dy.backend, size, dtype)
      const du = overUp ? us : scratch(dy.backend, size, dtype)
      dy.backend.swigluBackward(dg.buf, du.buf, dy.buf, gs.buf, us.buf, size, dtype)
      if (ng !== null) ng.give(overGate ? dg.retain() : dg, dtype)
      else if (!overGate) dg.release()
      if (nu !== null) nu.give(overUp ? du.retain() : du, dtype)
      else if (!overUp) du.release()
    }
  }
  return y
}
