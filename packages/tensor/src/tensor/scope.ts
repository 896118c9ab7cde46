import { IftError } from '../errors.js'
import { abandon, enter, leave } from './lifetime.js'
import { Tensor } from './tensor.js'

/**
 * Runs `fn` and releases every tensor made inside that it does not return, alone or deeply inside arrays and plain
 * objects. Its result belongs to the surrounding scope, or to the caller when there is none. After an error
 * everything is released. `fn` is synchronous; it may return the promise of a `read()`.
 */
export function scope<T>(fn: () => T): T {
  const start = enter()
  let result: T
  try {
    result = fn()
  } catch (error) {
    abandon(start)
    throw error
  }
  leaveWith(start, result)
  return result
}

/** Closes a scope and lets the tensors of `result` out. */
export function leaveWith(start: number, result: unknown): void {
  if (result instanceof Tensor || typeof result !== 'object' || result === null) leave(start, result, null)
  else {
    const survivors = new Set<Tensor>()
    collectTensors(result, survivors)
    leave(start, null, survivors)
  }
}

/** Adds the tensors in `value` to `found`, looking into arrays and plain objects. */
export function collectTensors(value: unknown, found: Set<Tensor>): void {
  if (typeof value !== 'object' || value === null) return
  if (value instanceof Tensor) found.add(value)
  else if (Array.isArray(value)) for (const element of value) collectTensors(element, found)
  else {
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype === Object.prototype || prototype === null) {
      for (const element of Object.values(value)) collectTensors(element, found)
    }
  }
}

/** Takes `t` out of every scope: the caller owns it and calls `release()`. */
export function keep<T extends Tensor>(t: T): T {
  if (t.state === 'released') {
    throw new IftError(
      'IFT_TENSOR_RELEASED',
      'keep: the tensor was already released',
      'Call keep inside the scope that made it.',
    )
  }
  t.state = 'owned'
  return t
}
