import type { Attention } from '../backend.js'
import type { Segments } from '../tensor/segments.js'
import { record, scratch } from '../tensor/tape.js'
import { describe, empty, emptyLike, type Tensor } from '../tensor/tensor.js'
import { expectDevice, expectDType, expectRank, expectVector, floatOf, shapeError } from './check.js'

/** Which keys a query sees, and how scores are scaled and biased. */
export interface AttentionOptions {
  /** Query i of a sequence sees its keys j <= i + (kLen - qLen). */
  readonly causal: boolean
  /** Factor of q · k; 1 / sqrt(D) when omitted. */
  readonly scale?: number | undefined
  /** i32 [sequences]: keys before it are visible to every query of the sequence (GLM's prefix LM). */
  readonly visiblePrefix?: Tensor | undefined
  /** f32 [H] (Press et al. 2022, arXiv:2108.12409). */
  readonly alibiSlopes?: Tensor | undefined
}

export interface PackedAttentionOptions extends AttentionOptions {
  readonly q: Segments
  readonly k: Segments
}

/**
 * softmax(scale · q kᵀ + bias) v within each sequence, without the matrix of scores (Dao 2023, arXiv:2307.08691).
 * q [Nq, H, D], k and v [Nk, Hkv, D] -> [Nq, H, D]; H is a multiple of Hkv. Saves q, k, v, the output and f32 [Nq, H].
 */
export function attention(q: Tensor, k: Tensor, v: Tensor, options: PackedAttentionOptions): Tensor {
  const dtype = floatOf('attention', 'q', q)
  expectRank('attention', 'q', q, 3, '[Nq, H, D]')
  expectRank('attention', 'k', k, 3, '[Nk, Hkv, D]')
  expectRank('attention', 'v', v, 3, '[Nk, Hkv, D]')
  const heads = q.shape[1]!
  const headDim = q.shape[2]!
  const kvHeads = k.shape[1]!
  const { q: qs, k: ks, visiblePrefix, alibiSlopes } = options
  if (k.shape[2] !== headDim || heads % kvHeads !== 0) {
    throw shapeError(
      'attention',
      `k expected [Nk, a divisor of ${heads}, ${headDim}] for q ${describe(q)}, found ${describe(k)}`,
    )
  }
  if (v.shape[0] !== k.shape[0] || v.shape[1] !== kvHeads || v.shape[2] !== headDim) {
    throw shapeError('attention', `v expected ${describe(k)}, found ${describe(v)}`)
  }
  if (q.shape[0] !== qs.rows)
    throw shapeError('attention', `q expected ${qs.rows} rows, found ${describe(q)}`)
  if (k.shape[0] !== ks.rows)
    throw shapeError('attention', `k expected ${ks.rows} rows, found ${describe(k)}`)
  if (qs.count !== ks.count) {
    throw shapeError('attention', `q has ${qs.count} sequences, k has ${ks.count}`)
  }
  expectDType('attention', 'k', k, dtype)
  expectDType('attention', 'v', v, dtype)
  expectDevice('attention', 'k', k, q)
  expectDevice('attention', 'v', v, q)
  expectMask('attention', options, qs.count, heads, q)
  const p: Attention = {
    segments: qs.count,
    cuQ: qs.cu.buf,
    cuK: ks.cu.buf,
    maxQ: qs.max,
    maxK: ks.max,
    rowsQ: qs.rows,
    rowsK: ks.rows,
    heads,
    kvHeads,
    headDim,
    scale: options.scale ?? 1 / Math.sqrt(headDim),
    dtype,
    causal: options.causal,
    visiblePrefix: visiblePrefix?.buf,
    alibiSlopes: alibiSlopes?.buf,
  }
  const y = emptyLike(q)
  const sums = empty(q.backend, [qs.rows, heads], 'f32')
  const lse = sums.storage
  q.backend.attention(y.buf, lse.buf, q.buf, k.buf, v.buf, p)

  const nq = q.node
  const nk = k.node
  const nv = v.node
  const node = record('attention', y, nq, nk, nv)
  if (node !== null) {
    const qb = q.storage
    const kb = k.storage
    const vb = v.storage
    const out = y.storage
    const mask = [visiblePrefix?.storage ?? null, alibiSlopes?.storage ?? null]
    node.save(qb, kb, vb, out, lse, qs.cu.storage, ks.cu.storage, ...mask)
    const qSize = q.size
    const kSize = k.size
    node.run = (dy) => {
      const backend = dy.backend
      const dq = scratch(backend, qSize, dtype)
      const dk = scratch(backend, kSize, dtype)
      const dv = scratch(backend, kSize, dtype)
      backend.attentionBackward(dq.buf, dk.buf, dv.buf, dy.buf, out.buf, lse.buf, qb.buf, kb.buf, vb.buf, p)
      if (nq === null) dq.release()
      else nq.give(dq, dtype)
      if (nk === null) dk.release()
      else nk.give(dk, dtype)
      if (nv === null) dv.release()
      else nv.give(dv, dtype)
    }
  }
  sums.release()
  return y
}

/** Checks the tensors of a mask. */
export function expectMask(
  op: string,
  options: AttentionOptions,
  count: number,
  heads: number,
  like: Tensor,
): void {
  const { visiblePrefix, alibiSlopes } = options
  if (visiblePrefix !== undefined) {
    expectVector(op, 'visiblePrefix', visiblePrefix, count, like)
    expectDType(op, 'visiblePrefix', visiblePrefix, 'i32')
  }
  if (alibiSlopes !== undefined) {
    expectVector(op, 'alibiSlopes', alibiSlopes, heads, like)
    expectDType(op, 'alibiSlopes', alibiSlopes, 'f32')
  }
}
