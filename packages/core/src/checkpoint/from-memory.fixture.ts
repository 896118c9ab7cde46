import type { PlainDType } from './numbers.js'
import type { TensorToWrite } from './safetensors.js'

/** A tensor whose bytes are at hand. */
export const fromMemory = (
  name: string,
  dtype: PlainDType,
  shape: readonly number[],
  bytes: Uint8Array,
): TensorToWrite => ({
  name,
  dtype,
  shape,
  async *bytes() {
    yield await Promise.resolve(bytes)
  },
})
