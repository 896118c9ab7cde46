import type { Backend } from '../backend.js'
import { itemSize, type FloatDType } from '../dtype.js'
import { IftError } from '../errors.js'
import { zeros } from '../tensor/create.js'
import { scope } from '../tensor/scope.js'
import type { Storage } from '../tensor/storage.js'
import { type GradNode, isRecording, leaf, noGrad, record, runBackward, scratch } from '../tensor/tape.js'
import { empty, type Tensor } from '../tensor/tensor.js'
import { floatOf } from './check.js'
import { chunkOf, expectHead, expectLogits, type Head } from './head.js'

export interface LinearCrossEntropyOptions {
  /** Factor of loss and gradient: 1 / trained tokens of the optimiser step. */
  readonly gradScale: number
  /** Rows whose logits exist at a time; by default even shares that fit 64 MiB of logits, or 64 rows. */
  readonly chunkRows?: number | undefined
}

/**
 * gradScale · sum of -log softmax(head(hidden))[label] over rows with label >= 0. hidden [M, C], labels i32 [M] -> f32 [1].
 * Works through the rows in chunks, so that the logits [M, V] never exist whole (as Liger Kernel does, Hsu et al. 2024,
 * arXiv:2410.10989); logits are f32 whatever the dtype of the model. When recording, the gradient is computed with the
 * loss: parameters of the head get theirs at once, and d hidden [M, C] is all that is saved. The result may be added to
 * other losses; scale it by gradScale.
 */
export function linearCrossEntropy(
  hidden: Tensor,
  head: Head,
  labels: Tensor,
  options: LinearCrossEntropyOptions,
): Tensor {
  const { gradScale } = options
  const rows = expectHead('linearCrossEntropy', hidden, head, labels)
  const dtype = floatOf('linearCrossEntropy', 'hidden', hidden)
  const chunkRows = chunkOf('linearCrossEntropy', options.chunkRows, head.outFeatures, rows)
  const { backend } = hidden
  const cols = hidden.shape[1]!
  const input = hidden.node
  const losses = scratch(backend, rows, 'f32')
  const gradient = isRecording() && input !== null ? scratch(backend, rows * cols, dtype) : null
  try {
    const found: Found = { dependsOn: null, headTrains: false }
    for (let start = 0; start < rows; start += chunkRows) {
      const count = Math.min(chunkRows, rows - start)
      scope(() => chunk(hidden, head, labels, gradScale, start, count, losses, gradient, found))
    }
    const y = empty(backend, [1], 'f32')
    backend.sumRows(y.buf, losses.buf, rows, 1, 'f32', 0)
    backend.axpby(y.buf, gradScale, y.buf, 0, y.buf, 1, 'f32')
    const node = record('linearCrossEntropy', y, input ?? found.dependsOn)
    if (node !== null) {
      if (gradient !== null) node.save(gradient)
      node.run = (dy) => {
        if (!dy.one && found.headTrains) throw scaledLoss()
        if (input === null || gradient === null) return
        if (dy.one) input.give(gradient.retain(), dtype)
        else input.give(scaled(backend, gradient, dy, rows * cols, dtype), dtype)
      }
    }
    return y
  } finally {
    losses.release()
    gradient?.release()
  }
}

interface Found {
  /** A node of the head, when its parameters or what they are made from train. */
  dependsOn: GradNode | null
  headTrains: boolean
}

/** Loss of rows start .. start + count into `losses`, gradient into `gradient` and the head's parameters. */
function chunk(
  hidden: Tensor,
  head: Head,
  labels: Tensor,
  gradScale: number,
  start: number,
  count: number,
  losses: Storage,
  gradient: Storage | null,
  found: Found,
): void {
  const { backend } = hidden
  const vocab = head.outFeatures
  const recording = isRecording()
  const x = recording ? noGrad(() => hidden.rows(start, start + count)) : hidden.rows(start, start + count)
  let cut: GradNode | null = null
  if (gradient !== null) {
    const dtype = hidden.dtype as FloatDType
    const rowBytes = (hidden.size / hidden.shape[0]!) * itemSize(dtype)
    cut = leaf(backend, x.size, dtype, true)
    cut.grad = gradient.view(start * rowBytes, count * rowBytes)
    cut.grad.zero = true
    x.node = cut
  }
  const part = head.forRows?.(start, start + count) ?? head
  const logits = part.call(x, zeros(backend, [count, vocab], 'f32'))
  expectLogits('linearCrossEntropy', logits, count, vocab)
  const node = logits.node
  const other = node?.leafOtherThan(cut) ?? null
  if (other !== null) {
    found.dependsOn = other
    found.headTrains = true
  }
  const p = { rows: count, vocab, gradScale, dtype: 'f32', gradDtype: node?.dtype ?? 'f32' } as const
  const loss = losses.view(start * 4, count * 4)
  const label = labels.storage.view(start * 4, count * 4)
  try {
    if (!recording || node === null) {
      backend.crossEntropy(loss.buf, null, logits.buf, label.buf, p)
      return
    }
    const storage = logits.storage
    const dlogits =
      node.dtype === 'f32' && storage.exclusive
        ? storage.retain()
        : scratch(backend, count * vocab, node.dtype)
    try {
      backend.crossEntropy(loss.buf, dlogits.buf, logits.buf, label.buf, p)
    } catch (error) {
      dlogits.release()
      throw error
    }
    node.refs++
    try {
      logits.release()
      runBackward(node, dlogits, node.dtype)
    } finally {
      node.unref()
    }
    cut?.grad?.materialize()
  } finally {
    label.release()
    loss.release()
  }
}

/** gradient [n] times the scalar dy f32 [1]. */
function scaled(backend: Backend, gradient: Storage, dy: Storage, n: number, dtype: FloatDType): Storage {
  const d = scratch(backend, n, dtype)
  backend.scaleColumns(d.buf, gradient.buf, dy.buf, n, 1, dtype)
  return d
}

const scaledLoss = () =>
  new IftError(
    'IFT_LOSS_SCALED',
    'linearCrossEntropy: its result was scaled, but the gradients of the head were computed with the loss',
    'Scale by the option gradScale instead, or freeze the head.',
  )
