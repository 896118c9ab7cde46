import {
  empty,
  full,
  IftError,
  itemSize,
  noGrad,
  ops,
  random,
  scope,
  write,
  zeros as zeroTensor,
  type Tensor,
} from '@ift/tensor'
import type { PeftContext } from '../contract/index.js'

/** How a tensor of an adapter begins. */
export type Start =
  | { readonly kind: 'constant'; readonly value: number }
  /** N(0, std²). */
  | { readonly kind: 'normal'; readonly std: number }
  /** U(-bound, bound). */
  | { readonly kind: 'uniform'; readonly bound: number }
  /** Values made elsewhere, row-major. */
  | { readonly kind: 'values'; values(): Float32Array | Promise<Float32Array> }

export const constant = (value: number): Start => ({ kind: 'constant', value })
export const zeros: Start = constant(0)
export const ones: Start = constant(1)
export const normal = (std: number): Start => ({ kind: 'normal', std })
export const uniform = (bound: number): Start => ({ kind: 'uniform', bound })
/** Kaiming-uniform with a = √5, the start of linear layers in PyTorch: U(±1/√n) for n inputs. */
export const kaimingUniform = (inputs: number): Start => uniform(1 / Math.sqrt(inputs))
export const values = (make: () => Float32Array | Promise<Float32Array>): Start => ({
  kind: 'values',
  values: make,
})

/**
 * The tensor that a start gives, in the type of the model. `stream` tells its random numbers from those of other tensors. Throws
 * IFT_OUT_OF_MEMORY.
 */
export async function startTensor(
  start: Start,
  shape: readonly number[],
  { backend, dtype, seed }: PeftContext,
  stream: number,
): Promise<Tensor> {
  const bytes = shape.reduce((size, dim) => size * dim, itemSize(dtype))
  if (bytes > Number.MAX_SAFE_INTEGER) throw tooLarge(shape, 'have more bytes than any memory')
  switch (start.kind) {
    case 'constant':
      return start.value === 0 ? zeroTensor(backend, shape, dtype) : full(backend, shape, start.value, dtype)
    case 'values':
      // They may be made from weights, of which there are none where memory is counted.
      if (backend.device.kind === 'counting') return empty(backend, shape, dtype)
      return madeValues(() => start.values(), empty(backend, shape, dtype))
    default:
      return noGrad(() =>
        scope(() => {
          const raw = random(backend, shape, start.kind, { seed, stream })
          if (start.kind === 'normal') return ops.cast(ops.scale(raw, start.std), dtype)
          // [0, 1) to [-1, 1).
          const one = full(backend, shape, 1, 'f32')
          backend.axpby(raw.buf, 2, raw.buf, -1, one.buf, raw.size, 'f32')
          return ops.cast(ops.scale(raw, start.bound), dtype)
        }),
      )
  }
}

/** Memory of the device comes first: a size that it does not have ends before values are made. */
async function madeValues(make: () => Float32Array | Promise<Float32Array>, into: Tensor): Promise<Tensor> {
  try {
    write(into, await make())
    return into
  } catch (error) {
    into.release()
    if (!(error instanceof RangeError)) throw error
    throw tooLarge(into.shape, `are more than an array of this process holds: ${error.message}`, error)
  }
}

const tooLarge = (shape: readonly number[], why: string, cause?: unknown): IftError =>
  new IftError(
    'IFT_OUT_OF_MEMORY',
    `The values of a tensor [${shape.join(', ')}] ${why}.`,
    'Choose a smaller size of the method.',
    { cause },
  )
