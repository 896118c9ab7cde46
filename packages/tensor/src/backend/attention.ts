import type { FloatDType } from '../dtype.js'
import type { Buf } from './buffer.js'

/** Which keys a query sees, shared by the packed and the paged form. */
export interface AttentionMask {
  /** Query i of a sequence sees its keys j <= i + (kLen - qLen): the queries are the last of the keys. */
  causal: boolean
  /** i32 [segments]: keys before it are visible to every query of the sequence (GLM's prefix LM). */
  visiblePrefix?: Buf | undefined
  /** f32 [heads]: adds slope · (j - (i + kLen - qLen)) to the score (Press et al. 2022, arXiv:2108.12409). */
  alibiSlopes?: Buf | undefined
}

/**
 * q, out [Nq, heads, headDim]; k, v [Nk, kvHeads, headDim]; lse f32 [Nq, heads].
 * Sequence s owns rows cuQ[s] .. cuQ[s+1] of q and cuK[s] .. cuK[s+1] of k and v. heads is a multiple of kvHeads.
 */
export interface Attention extends AttentionMask {
  segments: number
  /** i32 [segments + 1], ascending from 0 to Nq. */
  cuQ: Buf
  /** i32 [segments + 1], ascending from 0 to Nk. */
  cuK: Buf
  /** Longest sequence in q and in k. */
  maxQ: number
  maxK: number
  /** Rows in q and in k, the last entries of cuQ and cuK. */
  rowsQ: number
  rowsK: number
  heads: number
  kvHeads: number
  headDim: number
  scale: number
  dtype: FloatDType
}

/**
 * Decoding: keys and values lie in pages [pages, pageSize, kvHeads, headDim] of a shared pool; page p of sequence s
 * is pageTable[s, p]. Row cuQ[s] + i of q is the query at position kvLengths[s] - qLen + i.
 */
export interface PagedAttention extends AttentionMask {
  segments: number
  /** i32 [segments + 1]. */
  cuQ: Buf
  maxQ: number
  rowsQ: number
  /** i32 [segments]: keys of each sequence, those of the new queries included. */
  kvLengths: Buf
  maxK: number
  /** i32 [segments, maxPages]. */
  pageTable: Buf
  maxPages: number
  pageSize: number
  /** Pages in the pool. */
  pages: number
  heads: number
  kvHeads: number
  headDim: number
  scale: number
  dtype: FloatDType
}

/**
 * Rotary embedding of x [rows, heads, headDim] at dimensions dimOffset .. dimOffset + dims; the others are copied.
 * Pairs are (i, i + dims/2), or (2i, 2i+1) when interleaved (Su et al. 2021, arXiv:2104.09864). `inverse` rotates
 * back, which is the gradient. cos and sin are multiplied by `scale` (the attention factor of YaRN; 1 otherwise).
 */
export interface Rope {
  rows: number
  heads: number
  headDim: number
  dimOffset: number
  dims: number
  interleaved: boolean
  inverse: boolean
  scale: number
  dtype: FloatDType
}
