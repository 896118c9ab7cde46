import { abandon, enter, leave } from './lifetime.js'
import { passState, withPassState } from './pass-state.js'
import { randomState, withRandomState } from './random.js'
import { scope } from './scope.js'
import { isRecording, leaf, record, withMode } from './tape.js'
import { Tensor } from './tensor.js'

/**
 * y = fn(x) without keeping its activations: the backward pass runs `fn` again (Chen et al. 2016, arXiv:1604.06174),
 * with the same random numbers and `passState`, and the gradients are those of the plain call bit for bit. Other tensors that `fn`
 * reads must be alive then; those in `alsoReads` are kept alive. Their gradients, and those of parameters, flow as usual.
 */
export function recompute(fn: (x: Tensor) => Tensor, x: Tensor, alsoReads: Iterable<Tensor> = []): Tensor {
  if (!isRecording()) return scope(() => fn(x.alias()))
  const random = randomState()
  const state = passState()
  const probed = withMode('probe', () => scope(() => fn(x.alias())))
  // `fn` may hand back x or a tensor from outside itself: y gets an identity of its own before it gets a node.
  const needsGrad = probed.node !== null
  const y = new Tensor(probed.storage.retain(), probed.shape, probed.dtype, probed.size)
  probed.release()
  if (!needsGrad) return y
  const input = x.node
  const anchor = input ?? leaf(x.backend, x.size, 'f32', false)
  const node = record('recompute', y, anchor)
  if (input === null) anchor.unref()
  if (node === null) return y
  const storage = x.storage
  const { shape, dtype, size } = x
  node.save(storage)
  for (const tensor of alsoReads) node.hold(tensor)
  node.run = (dy) => {
    const start = enter()
    try {
      const again = new Tensor(storage.retain(), shape, dtype, size)
      if (input !== null) {
        input.refs++
        again.node = input
      }
      const out = withMode('record', () =>
        withPassState(state, () => withRandomState(random === null ? null : { ...random }, () => fn(again))),
      )
      // Its nodes are younger than all that wait, so the pass in progress runs them next.
      out.node?.give(dy.retain(), node.dtype)
    } catch (error) {
      abandon(start)
      throw error
    }
    leave(start, null, null)
  }
  return y
}
