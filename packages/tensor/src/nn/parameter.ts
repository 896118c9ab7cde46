import type { Backend } from '../backend.js'
import { asFloat, type FloatDType } from '../dtype.js'
import { countParameter } from './parameter-limit.js'
import { IftError } from '../errors.js'
import type { Weight } from '../ops/weight.js'
import { leaf, type GradNode } from '../tensor/tape.js'
import { describe, empty, emptyLike, Tensor } from '../tensor/tensor.js'
import { keep } from '../tensor/scope.js'

/**
 * A weight of a module: declared by its shape, without storage until `assign`. It owns its value, the f32 master that an
 * optimiser updates, and its gradient.
 */
export class Parameter {
  readonly shape: readonly number[]
  #value: Tensor | null = null
  #master: Tensor | null = null
  #node: GradNode | null = null
  #grad: Tensor | null = null

  constructor(shape: readonly number[]) {
    countParameter()
    this.shape = shape
  }

  get isAssigned(): boolean {
    return this.#value !== null
  }

  /** The weight in the dtype that the model computes in. Throws `IFT_PARAMETER_UNASSIGNED`. */
  get value(): Tensor {
    if (this.#value === null) {
      throw new IftError(
        'IFT_PARAMETER_UNASSIGNED',
        `parameter [${this.shape.join(', ')}] has no value: no weights were loaded into it`,
        'Load a checkpoint, or assign(t) a tensor of this shape.',
      )
    }
    return this.#value
  }

  /** The operand of products: the value, or a frozen matrix in few bits. Throws `IFT_PARAMETER_UNASSIGNED`. */
  get operand(): Weight {
    return this.value
  }

  /** Takes over `t` as the value; the old one is released. A trainable parameter stays trainable. */
  assign(t: Tensor): void {
    const shape = this.shape
    if (t.shape.length !== shape.length || t.shape.some((d, i) => d !== shape[i])) {
      throw new IftError('IFT_SHAPE', `parameter expected [${shape.join(', ')}], found ${describe(t)}`)
    }
    const { trainable } = this
    this.release()
    this.#value = keep(t)
    if (trainable) this.setTrainable(true)
  }

  /** A tensor that `assign` takes for a weight of `dtype`, with whatever its memory holds. */
  blank(backend: Backend, dtype: FloatDType): Tensor {
    return empty(backend, this.shape, dtype)
  }

  get trainable(): boolean {
    return this.#node !== null
  }

  /**
   * Switches the gradient. On: makes the f32 master, unless the value is f32 itself, and copies a value that is mapped
   * from a file. Off: releases master and gradient.
   */
  setTrainable(on: boolean): void {
    if (on === this.trainable) return
    if (!on) {
      this.gradientIn(null)
      if (this.#value !== null) {
        this.#value.node?.unref()
        this.#value.node = null
      }
      this.#node?.unref()
      this.#node = null
      this.#master?.release()
      this.#master = null
      return
    }
    const value = this.value
    const { backend, size } = value
    const dtype = asFloat(value.dtype, 'setTrainable')
    if (value.storage.readOnly) {
      const copy = keep(emptyLike(value))
      backend.copy2d(copy.buf, 0, size, value.buf, 0, size, 1, size, dtype, 0)
      value.release()
      this.#value = copy
    }
    const own = this.value
    if (dtype !== 'f32') {
      this.#master = keep(emptyLike(own, 'f32'))
      backend.cast(this.#master.buf, own.buf, size, 'f32', dtype)
    }
    const node = leaf(backend, size, 'f32', true)
    this.#node = node
    node.refs++
    own.node = node
  }

  /**
   * Moves the value and the f32 master of a trainable parameter into parts of buffers that it shares with others, of its
   * size and dtypes; both are taken over. `master` is null where the value is f32 and its own.
   */
  moveInto(value: Tensor, master: Tensor | null): void {
    const own = this.value
    const moved = (from: Tensor, to: Tensor) => {
      const { backend, size } = from
      backend.copy2d(to.buf, 0, size, from.buf, 0, size, 1, size, asFloat(from.dtype, 'moveInto'), 0)
      const tensor = keep(new Tensor(to.storage.retain(), this.shape, from.dtype, size))
      tensor.node = from.node
      from.node = null
      from.release()
      to.release()
      return tensor
    }
    if (master !== null) this.#master = moved(this.master, master)
    this.#value = moved(own, value)
  }

  /** Throws for a parameter that holds its value in another form than one tensor. */
  protected expectPlain(): void {
    // This one does not.
  }

  /**
   * Exchanges value, master and gradient with a parameter of the same shape. Nothing is copied; a tape keeps what it has recorded. Throws
   * `IFT_QUANTIZED` where one of them is held in few bits, and `IFT_SHAPE`.
   */
  exchange(other: Parameter): void {
    this.expectPlain()
    other.expectPlain()
    if (other.shape.join() !== this.shape.join())
      throw new IftError(
        'IFT_SHAPE',
        `exchange expected a parameter [${this.shape.join(', ')}], found [${other.shape.join(', ')}]`,
      )
    ;[this.#value, other.#value] = [other.#value, this.#value]
    ;[this.#master, other.#master] = [other.#master, this.#master]
    ;[this.#node, other.#node] = [other.#node, this.#node]
    ;[this.#grad, other.#grad] = [other.#grad, this.#grad]
  }

  /** Moves value, master and gradient into a parameter of their own and stays with the value alone, frozen. `exchange` brings them back. */
  setAside(): Parameter {
    const aside = new Parameter(this.shape)
    this.exchange(aside)
    const value = keep(aside.value.alias())
    value.node?.unref()
    value.node = null
    this.#value = value
    return aside
  }

  /**
   * Where gradients are collected from now on, f32 of the parameter's size and taken over; in memory of their own when null.
   * Drops the gradient that there is.
   */
  gradientIn(memory: Tensor | null): void {
    this.zeroGrad()
    if (this.#node === null) return
    this.#node.home?.release()
    this.#node.home = memory?.storage.retain() ?? null
    memory?.release()
  }

  /** f32 values of a trainable parameter: `value` itself when that is f32. */
  get master(): Tensor {
    if (!this.trainable) {
      throw new IftError(
        'IFT_PARAMETER_FROZEN',
        `parameter [${this.shape.join(', ')}] has no master: it is not trainable`,
        'Call setTrainable(true).',
      )
    }
    return this.#master ?? this.value
  }

  /** Rounds the master into the value, after the master was written from outside. */
  roundFromMaster(): void {
    const { master, value } = this
    if (master === value) return
    value.backend.cast(value.buf, master.buf, value.size, asFloat(value.dtype, 'roundFromMaster'), 'f32')
  }

  /** The gradient, f32, summed over all `backward` calls since `zeroGrad`; null before the first. Owned by the parameter. */
  get grad(): Tensor | null {
    const storage = this.#node?.grad ?? null
    if (storage === null) return null
    if (this.#grad === null || this.#grad.storage !== storage) {
      this.#grad?.release()
      this.#grad = keep(new Tensor(storage.retain(), this.shape, 'f32', this.value.size))
    }
    return this.#grad
  }

  /** The gradient, zero where no `backward` has reached the parameter yet. Owned by the parameter. */
  gradient(): Tensor {
    const { grad } = this
    if (grad !== null) return grad
    const { size, backend } = this.master
    this.#node!.open()
    const zero = this.grad!
    backend.fill(zero.buf, 0, size, 'f32')
    return zero
  }

  /** Whether there is a gradient, which then lies in its memory with every zero written. */
  settleGradient(): boolean {
    const grad = this.#node?.grad ?? null
    grad?.materialize()
    return grad !== null
  }

  /** Releases the gradient. */
  zeroGrad(): void {
    this.#grad?.release()
    this.#grad = null
    if (this.#node !== null) {
      this.#node.grad?.release()
      this.#node.grad = null
    }
  }

  /** Releases value, master and gradient; the parameter is unassigned and frozen again. */
  release(): void {
    if (this.trainable) this.setTrainable(false)
    this.#value?.release()
    this.#value = null
  }
}
