import type { Rope } from '../backend.js'
import { record, scratch } from '../tensor/tape.js'
import { describe, emptyLike, type Tensor } from '../tensor/tensor.js'
import { expectDevice, expectDType, expectRank, expectVector, floatOf, shapeError } from './check.js'

export interface RopeOptions {
  /** f32 [dims / 2]: angle per position of each pair. */
  readonly invFreq: Tensor
  /** First rotated dimension of a head; 0 when omitted. */
  readonly dimOffset?: number | undefined
  /** Rotated dimensions; 2 · invFreq.size when omitted. */
  readonly dims?: number | undefined
  /** Pairs (2i, 2i + 1) instead of (i, i + dims / 2). */
  readonly interleaved?: boolean | undefined
  /** Factor of cos and sin (YaRN's attention factor); 1 when omitted. */
  readonly scale?: number | undefined
}

/**
 * Rotary position embedding (Su et al. 2021, arXiv:2104.09864). x [N, H, D], positions i32 [N] -> [N, H, D]; dimensions
 * outside dimOffset .. dimOffset + dims are copied. Saves positions and frequencies.
 */
export function rope(x: Tensor, positions: Tensor, options: RopeOptions): Tensor {
  const dtype = floatOf('rope', 'x', x)
  expectRank('rope', 'x', x, 3, '[N, H, D]')
  const rows = x.shape[0]!
  const headDim = x.shape[2]!
  const { invFreq } = options
  const dims = options.dims ?? 2 * invFreq.size
  const dimOffset = options.dimOffset ?? 0
  expectVector('rope', 'positions', positions, rows, x)
  expectDType('rope', 'positions', positions, 'i32')
  expectVector('rope', 'invFreq', invFreq, dims / 2, x)
  expectDType('rope', 'invFreq', invFreq, 'f32')
  expectDevice('rope', 'invFreq', invFreq, x)
  if (dimOffset < 0 || dimOffset + dims > headDim) {
    throw shapeError('rope', `dimensions ${dimOffset} to ${dimOffset + dims} do not fit x ${describe(x)}`)
  }
  const heads = x.shape[1]!
  const interleaved = options.interleaved ?? false
  const scale = options.scale ?? 1
  const p: Rope = { rows, heads, headDim, dimOffset, dims, interleaved, inverse: false, scale, dtype }
  const y = emptyLike(x)
  x.backend.rope(y.buf, x.buf, positions.buf, invFreq.buf, p)

  const nx = x.node
  const node = record('rope', y, nx)
  if (node !== null && nx !== null) {
    const size = x.size
    const at = positions.storage
    const freq = invFreq.storage
    node.save(at, freq)
    const back: Rope = { rows, heads, headDim, dimOffset, dims, interleaved, inverse: true, scale, dtype }
    node.run = (dy) => {
      const reuse = dy.exclusive
      const dx = reuse ? dy : scratch(dy.backend, size, dtype)
      dy.backend.rope(dx.buf, dy.buf, at.buf, freq.buf, back)
      nx.give(reuse ? dx.retain() : dx, dtype)
    }
  }
  return y
}
