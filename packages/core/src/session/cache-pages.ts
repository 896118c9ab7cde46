import { freemem } from 'node:os'
import { itemSize } from '@ift/tensor'
import type { OpenModel } from './open-model.js'

/** Tokens of a page. */
const pageSize = 16
/** So many there are in any case: a prompt of some hundred tokens. */
const fewest = 64

/** Bytes of the device that nobody uses; of its whole memory where it does not say. */
function freeBytes({ backend }: Pick<OpenModel, 'backend'>): number {
  const { kind, memory } = backend.device
  if (kind === 'cpu' || memory === undefined) return freemem()
  return Math.max(0, memory - backend.memory().allocated)
}

/** Pages of keys and values that fit into `bytes`, or into half of the memory that is free. */
export function cachePages(
  open: Pick<OpenModel, 'backend' | 'shape' | 'dtype'>,
  bytes: number = freeBytes(open) / 2,
): number {
  const { layers, kvHeads, headDim } = open.shape
  const page = pageSize * layers * 2 * kvHeads * headDim * itemSize(open.dtype)
  return Math.max(fewest, Math.floor(bytes / page))
}
