import type { Accumulate, Backend } from '../backend.js'
import { itemSize, type FloatDType } from '../dtype.js'
import { IftError } from '../errors.js'
import type { Saved } from './saved.js'
import { Storage } from './storage.js'
import type { Tensor } from './tensor.js'

/**
 * Treatment of an operation by the tape: nothing, a note, or only a mark on its result (inside `recompute`'s
 * forward).
 */
type Mode = 'off' | 'record' | 'probe'

let mode: Mode = 'record'
let created = 0
/** Nodes that hold a gradient and have not run, ascending by creation, of the backward pass in progress. */
let pending: GradNode[] | null = null

/** Device memory that the backward step in progress has made, so that an error does not lose it. */
const made: Storage[] = []

/** Uninitialised device memory for `n` elements, for a kernel to write; a backward step gives it to a node or releases it. */
export function scratch(backend: Backend, n: number, dtype: FloatDType): Storage {
  const storage = Storage.alloc(backend, n * itemSize(dtype))
  if (pending !== null) made.push(storage)
  return storage
}

/** Runs the gradient of one operation; `dy` has the node's `dtype` and is released by the caller. */
export type RunBackward = (dy: Storage) => void

/** Stands for every list of a node that has no members: a step makes thousands of nodes, and most lists stay empty. */
const nothing: readonly never[] = []

/**
 * Where the gradient of a tensor is collected, and, unless the tensor is a leaf, how it goes on to the inputs. A node
 * owns what it saved and drops it as soon as its backward has run, or when nothing can reach it any more.
 */
export class GradNode {
  refs = 1
  grad: Storage | null = null
  /** Where the gradient of a parameter is to lie; in memory of its own when null. */
  home: Storage | null = null
  run: RunBackward | null = null
  #inputs: readonly (GradNode | null)[] = nothing
  #saved: readonly (Saved | null)[] = nothing
  #held: readonly Tensor[] = nothing
  #done = false

  constructor(
    readonly op: string,
    readonly sequence: number,
    readonly backend: Backend,
    readonly size: number,
    /** Of the gradient: the tensor's own, but f32 for a parameter, and that of the inputs for f32 logits of a bf16 model. */
    public dtype: FloatDType,
    /** A parameter: its gradient is written in place and outlives the pass. */
    readonly persistent = false,
  ) {}

  /** Holds what is not null until the backward of this node is done. */
  save(...saved: (Saved | null)[]): void {
    for (const one of saved) if (one !== null) one.refs++
    this.#saved = this.#saved === nothing ? saved : [...this.#saved, ...saved]
  }

  /** Puts off the release of `tensor` until the backward of this node is done. */
  hold(tensor: Tensor): void {
    tensor.hold()
    this.#held = [...this.#held, tensor]
  }

  /** Makes the inputs that are not null live at least as long as this node. */
  link(inputs: readonly (GradNode | null)[]): void {
    for (const input of inputs) if (input !== null) input.refs++
    this.#inputs = inputs
  }

  /** A leaf that this node depends on, `leaf` apart. */
  leafOtherThan(leaf: GradNode | null): GradNode | null {
    const seen = new Set<GradNode>()
    const waiting: GradNode[] = [this]
    for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
      if (node === leaf || seen.has(node)) continue
      if (node.run === null) return node
      seen.add(node)
      for (const input of node.#inputs) if (input !== null) waiting.push(input)
    }
    return null
  }

  /** Makes `grad` ready to be written by a kernel, which must add to it when the answer is 1. */
  open(): Accumulate {
    const grad = this.grad
    if (grad === null) {
      this.grad = this.home?.retain() ?? Storage.alloc(this.backend, this.size * itemSize(this.dtype))
      this.grad.overwrite()
      this.#schedule()
      return 0
    }
    if (grad.zero) {
      grad.overwrite()
      return 0
    }
    if (!this.persistent && !grad.exclusive) {
      this.grad = copyOf(grad, this.size, this.dtype)
      grad.release()
    } else grad.one = false
    return 1
  }

  /** `open` for kernels that can only add. */
  openToAdd(): Storage {
    if (this.open() === 0) this.grad!.zero = true
    return this.grad!
  }

  /** Adds a gradient, and takes over one reference to it. */
  give(gradient: Storage, dtype: FloatDType): void {
    let g = gradient
    if (dtype !== this.dtype) {
      g = scratch(this.backend, this.size, this.dtype)
      this.backend.cast(g.overwrite(), gradient.buf, this.size, this.dtype, dtype)
      gradient.release()
    }
    const old = this.grad
    if (old === null) {
      if (this.home !== null) {
        this.grad = this.home.retain()
        copy(this.grad, g, this.size, this.dtype)
        g.release()
      } else if (this.persistent && !g.exclusive) {
        this.grad = copyOf(g, this.size, this.dtype)
        g.release()
      } else {
        g.given = true
        this.grad = g
      }
      this.#schedule()
    } else if (this.persistent || old.exclusive) {
      this.backend.axpby(old.buf, 1, old.buf, 1, g.buf, this.size, this.dtype)
      old.one = false
      g.release()
    } else if (g.exclusive) {
      this.backend.axpby(g.buf, 1, old.buf, 1, g.buf, this.size, this.dtype)
      g.one = false
      g.given = true
      this.grad = g
      old.release()
    } else {
      const sum = scratch(this.backend, this.size, this.dtype)
      this.backend.axpby(sum.overwrite(), 1, old.buf, 1, g.buf, this.size, this.dtype)
      sum.given = true
      this.grad = sum
      old.release()
      g.release()
    }
  }

  #schedule(): void {
    if (this.run === null) {
      if (this.#done) throw alreadyRun(this.op)
      return
    }
    if (pending === null) return
    this.refs++
    // The youngest is almost always the next one.
    let i = pending.push(this) - 1
    for (; i > 0 && pending[i - 1]!.sequence > this.sequence; i--) pending[i] = pending[i - 1]!
    pending[i] = this
  }

  /** Takes the gradient out and runs the node. */
  step(): void {
    const dy = this.grad!
    const run = this.run!
    this.grad = null
    this.run = null
    this.#done = true
    const start = made.length
    try {
      run(dy)
    } catch (error) {
      for (let i = start; i < made.length; i++) if (!made[i]!.given && made[i]!.refs > 0) made[i]!.release()
      throw error
    } finally {
      made.length = start
      dy.release()
      this.#drop()
    }
  }

  /** Gives back one reference; with the last, everything held here. */
  unref(): void {
    if (--this.refs > 0) return
    const dead: GradNode[] = [this]
    for (let node = dead.pop(); node !== undefined; node = dead.pop()) {
      node.grad?.release()
      node.grad = null
      node.run = null
      node.#done = true
      node.#drop(dead)
    }
  }

  #drop(dead?: GradNode[]): void {
    for (const saved of this.#saved) saved?.release()
    const inputs = this.#inputs
    const held = this.#held
    this.#saved = nothing
    this.#held = nothing
    this.#inputs = nothing
    for (const input of inputs) {
      if (input === null) continue
      if (dead === undefined || input.refs > 1) input.unref()
      else {
        input.refs = 0
        dead.push(input)
      }
    }
    for (const tensor of held) tensor.unhold()
  }
}

const alreadyRun = (op: string) =>
  new IftError(
    'IFT_BACKWARD_TWICE',
    `backward: the gradient of ${op} was already computed and what it had saved is gone`,
    'Add the losses that share a graph with ops.add and call backward once.',
  )

function copy(to: Storage, from: Storage, size: number, dtype: FloatDType): void {
  from.backend.copy2d(to.overwrite(), 0, size, from.buf, 0, size, 1, size, dtype, 0)
}

function copyOf(storage: Storage, size: number, dtype: FloatDType): Storage {
  const made = scratch(storage.backend, size, dtype)
  copy(made, storage, size, dtype)
  made.given = true
  return made
}

/** Marks results that need a gradient while `recompute` runs its function without a tape. Never runs. */
let probeNode: GradNode | undefined

/**
 * The node of `y`, computed from inputs with these nodes; null when no gradient is wanted. Call it right after the
 * kernel, then `save` what the backward reads and set `run`.
 */
export function record(op: string, y: Tensor, ...inputs: (GradNode | null)[]): GradNode | null {
  if (mode === 'off' || inputs.every((input) => input === null)) return null
  if (mode === 'probe') {
    probeNode ??= new GradNode('probe', 0, y.backend, 0, 'f32')
    probeNode.refs++
    y.node = probeNode
    return null
  }
  const node = new GradNode(op, ++created, y.backend, y.size, y.dtype as FloatDType)
  node.link(inputs)
  y.node = node
  return node
}

/** A node that only collects: of a parameter (`persistent`), or of a tensor cut off from the graph before it. */
export function leaf(backend: Backend, size: number, dtype: FloatDType, persistent: boolean): GradNode {
  return new GradNode(persistent ? 'parameter' : 'leaf', 0, backend, size, dtype, persistent)
}

export const isRecording = (): boolean => mode === 'record'

/** Whether results here are for themselves alone: no gradient of them is ever computed, not even by a recomputation. */
export const isForwardOnly = (): boolean => mode === 'off' && pending === null

/** Runs `fn` with the tape in the given mode. */
export function withMode<T>(next: Mode, fn: () => T): T {
  const before = mode
  mode = next
  try {
    return fn()
  } finally {
    mode = before
  }
}

/** Runs `fn` without recording: its results need no gradient and nothing is saved. */
export const noGrad = <T>(fn: () => T): T => withMode('off', fn)

/** Walks back from `root` with gradient `seed`, whose reference is taken over. */
export function runBackward(root: GradNode, seed: Storage, dtype: FloatDType): void {
  const outer = pending
  const outerMode = mode
  const mine: GradNode[] = []
  pending = mine
  mode = 'off'
  try {
    root.give(seed, dtype)
    for (let node = mine.pop(); node !== undefined; node = mine.pop()) {
      try {
        node.step()
      } finally {
        node.unref()
      }
    }
  } finally {
    for (const node of mine) {
      node.grad?.release()
      node.grad = null
      node.unref()
    }
    pending = outer
    mode = outerMode
  }
}

/**
 * Adds the gradient of `loss` (f32 [1]) to `Parameter.grad` of every trainable parameter it depends on. Operations
 * run in reverse order of creation; the values that one saved are released as soon as it has run.
 */
export function backward(loss: Tensor): void {
  if (loss.size !== 1 || loss.dtype !== 'f32') {
    throw new IftError(
      'IFT_SHAPE',
      `backward: loss expected f32 [1], found ${loss.dtype} [${loss.shape.join(', ')}]`,
    )
  }
  const node = loss.node
  if (node === null) {
    throw new IftError(
      'IFT_NO_GRADIENT',
      'backward: the loss depends on no trainable parameter',
      'Call parameter.setTrainable(true) before the forward pass, and do not run it inside noGrad.',
    )
  }
  const one = Storage.alloc(loss.backend, 4)
  one.backend.fill(one.buf, 1, 1, 'f32')
  one.one = true
  runBackward(node, one, 'f32')
}
