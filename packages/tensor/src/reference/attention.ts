import type { Attention, AttentionMask, Buf, PagedAttention } from '../backend.js'
import { IftError } from '../errors.js'
import type { Memory } from './memory.js'

/** Segment bounds, checked: ascending from 0 to rows. */
function bounds(
  memory: Memory,
  cu: Buf,
  segments: number,
  rows: number,
  kernel: string,
  argument: string,
): Int32Array {
  const values = memory.ints(cu, segments + 1, kernel, argument)
  if (values[0] !== 0 || values[segments] !== rows) {
    throw new IftError('IFT_INDEX_RANGE', `${kernel}: ${argument} expected to run from 0 to ${rows}`)
  }
  for (let s = 0; s < segments; s++) {
    if (values[s]! > values[s + 1]!)
      throw new IftError('IFT_INDEX_RANGE', `${kernel}: ${argument} descends at ${s}`)
  }
  return values
}

/** Scores of one query over its visible keys, softmaxed: `weights` [kLen], 0 where hidden. Gives log-sum-exp. */
class Softmax {
  readonly #prefix: Int32Array | null
  readonly #slopes: Float64Array | null
  readonly #causal: boolean

  constructor(memory: Memory, mask: AttentionMask, segments: number, heads: number, kernel: string) {
    this.#causal = mask.causal
    this.#prefix =
      mask.visiblePrefix === undefined
        ? null
        : memory.ints(mask.visiblePrefix, segments, kernel, 'visiblePrefix')
    this.#slopes =
      mask.alibiSlopes === undefined
        ? null
        : memory.floats(mask.alibiSlopes, heads, 'f32', kernel, 'alibiSlopes')
  }

  visible(s: number, place: number, j: number): boolean {
    return !this.#causal || j <= place || (this.#prefix !== null && j < this.#prefix[s]!)
  }

  bias(h: number, place: number, j: number): number {
    return this.#slopes === null ? 0 : this.#slopes[h]! * (j - place)
  }

  /** Turns scores into weights in place; scores of hidden keys are -Infinity. */
  static normalize(scores: Float64Array): number {
    let max = -Infinity
    for (const x of scores) max = Math.max(max, x)
    if (max === -Infinity) {
      scores.fill(0)
      return -Infinity
    }
    let sum = 0
    for (let j = 0; j < scores.length; j++) sum += scores[j] = Math.exp(scores[j]! - max)
    for (let j = 0; j < scores.length; j++) scores[j]! /= sum
    return max + Math.log(sum)
  }
}

function checkHeads(kernel: string, heads: number, kvHeads: number): number {
  if (!(kvHeads >= 1) || heads % kvHeads !== 0) {
    throw new IftError('IFT_ARGUMENT', `${kernel}: heads ${heads} is not a multiple of kvHeads ${kvHeads}`)
  }
  return heads / kvHeads
}

/** out [Nq, heads, headDim], lse f32 [Nq, heads]. A query that sees no key gives zeros and -Infinity. */
export function attention(memory: Memory, out: Buf, lse: Buf, q: Buf, k: Buf, v: Buf, p: Attention): void {
  const kernel = 'attention'
  const { segments, rowsQ, rowsK, heads, kvHeads, headDim: d, scale, dtype } = p
  const group = checkHeads(kernel, heads, kvHeads)
  const qv = memory.floats(q, rowsQ * heads * d, dtype, kernel, 'q')
  const kv = memory.floats(k, rowsK * kvHeads * d, dtype, kernel, 'k')
  const vv = memory.floats(v, rowsK * kvHeads * d, dtype, kernel, 'v')
  memory.expect(out, rowsQ * heads * d, dtype, kernel, 'out')
  memory.expect(lse, rowsQ * heads, 'f32', kernel, 'lse')
  const cuQ = bounds(memory, p.cuQ, segments, rowsQ, kernel, 'cuQ')
  const cuK = bounds(memory, p.cuK, segments, rowsK, kernel, 'cuK')
  const softmax = new Softmax(memory, p, segments, heads, kernel)
  const outv = new Float64Array(rowsQ * heads * d)
  const lsev = new Float64Array(rowsQ * heads)
  for (let s = 0; s < segments; s++) {
    const k0 = cuK[s]!
    const kLen = cuK[s + 1]! - k0
    const offset = kLen - (cuQ[s + 1]! - cuQ[s]!)
    for (let i = cuQ[s]!; i < cuQ[s + 1]!; i++) {
      const place = i - cuQ[s]! + offset
      for (let h = 0; h < heads; h++) {
        const hk = Math.floor(h / group)
        const qAt = (i * heads + h) * d
        const scores = new Float64Array(kLen).fill(-Infinity)
        for (let j = 0; j < kLen; j++) {
          if (!softmax.visible(s, place, j)) continue
          const kAt = ((k0 + j) * kvHeads + hk) * d
          let dot = 0
          for (let c = 0; c < d; c++) dot += qv[qAt + c]! * kv[kAt + c]!
          scores[j] = dot * scale + softmax.bias(h, place, j)
        }
        lsev[i * heads + h] = Softmax.normalize(scores)
        for (let j = 0; j < kLen; j++) {
          const weight = scores[j]!
          if (weight === 0) continue
          const vAt = ((k0 + j) * kvHeads + hk) * d
          for (let c = 0; c < d; c++) outv[qAt + c]! += weight * vv[vAt + c]!
        }
      }
    }
  }
  memory.store(out, outv, dtype, kernel, 'out')
  memory.store(lse, lsev, 'f32', kernel, 'lse')
}

/** dq, dk, dv from dout; weights are recomputed from lse. */
export function attentionBackward(
  memory: Memory,
  dq: Buf,
  dk: Buf,
  dv: Buf,
  dout: Buf,
  out: Buf,
  lse: Buf,
  q: Buf,
  k: Buf,
  v: Buf,
  p: Attention,
): void {
  const kernel = 'attentionBackward'
  const { segments, rowsQ, rowsK, heads, kvHeads, headDim: d, scale, dtype } = p
  const group = checkHeads(kernel, heads, kvHeads)
  const nq = rowsQ * heads * d
  const nk = rowsK * kvHeads * d
  const qv = memory.floats(q, nq, dtype, kernel, 'q')
  const kv = memory.floats(k, nk, dtype, kernel, 'k')
  const vv = memory.floats(v, nk, dtype, kernel, 'v')
  const doutv = memory.floats(dout, nq, dtype, kernel, 'dout')
  const outv = memory.floats(out, nq, dtype, kernel, 'out')
  const lsev = memory.floats(lse, rowsQ * heads, 'f32', kernel, 'lse')
  memory.expect(dq, nq, dtype, kernel, 'dq')
  memory.expect(dk, nk, dtype, kernel, 'dk')
  memory.expect(dv, nk, dtype, kernel, 'dv')
  const cuQ = bounds(memory, p.cuQ, segments, rowsQ, kernel, 'cuQ')
  const cuK = bounds(memory, p.cuK, segments, rowsK, kernel, 'cuK')
  const softmax = new Softmax(memory, p, segments, heads, kernel)
  const dqv = new Float64Array(nq)
  const dkv = new Float64Array(nk)
  const dvv = new Float64Array(nk)
  for (let s = 0; s < segments; s++) {
    const k0 = cuK[s]!
    const kLen = cuK[s + 1]! - k0
    const offset = kLen - (cuQ[s + 1]! - cuQ[s]!)
    for (let i = cuQ[s]!; i < cuQ[s + 1]!; i++) {
      const place = i - cuQ[s]! + offset
      for (let h = 0; h < heads; h++) {
        const hk = Math.floor(h / group)
        const qAt = (i * heads + h) * d
        let delta = 0
        for (let c = 0; c < d; c++) delta += doutv[qAt + c]! * outv[qAt + c]!
        for (let j = 0; j < kLen; j++) {
          if (!softmax.visible(s, place, j)) continue
          const kAt = ((k0 + j) * kvHeads + hk) * d
          let dot = 0
          let dp = 0
          for (let c = 0; c < d; c++) {
            dot += qv[qAt + c]! * kv[kAt + c]!
            dp += doutv[qAt + c]! * vv[kAt + c]!
          }
          const weight = Math.exp(dot * scale + softmax.bias(h, place, j) - lsev[i * heads + h]!)
          const ds = weight * (dp - delta) * scale
          for (let c = 0; c < d; c++) {
            dqv[qAt + c]! += ds * kv[kAt + c]!
            dkv[kAt + c]! += ds * qv[qAt + c]!
            dvv[kAt + c]! += weight * doutv[qAt + c]!
          }
        }
      }
    }
  }
  memory.store(dq, dqv, dtype, kernel, 'dq')
  memory.store(dk, dkv, dtype, kernel, 'dk')
  memory.store(dv, dvv, dtype, kernel, 'dv')
}

/** out [Nq, heads, headDim] over keys and values in pages. */
export function attentionPaged(
  memory: Memory,
  out: Buf,
  q: Buf,
  kPages: Buf,
  vPages: Buf,
  p: PagedAttention,
): void {
  const kernel = 'attentionPaged'
  const { segments, rowsQ, heads, kvHeads, headDim: d, scale, dtype, pages, pageSize, maxPages } = p
  const group = checkHeads(kernel, heads, kvHeads)
  const qv = memory.floats(q, rowsQ * heads * d, dtype, kernel, 'q')
  const pool = pages * pageSize * kvHeads * d
  const kv = memory.floats(kPages, pool, dtype, kernel, 'kPages')
  const vv = memory.floats(vPages, pool, dtype, kernel, 'vPages')
  memory.expect(out, rowsQ * heads * d, dtype, kernel, 'out')
  const cuQ = bounds(memory, p.cuQ, segments, rowsQ, kernel, 'cuQ')
  const lengths = memory.ints(p.kvLengths, segments, kernel, 'kvLengths')
  const table = memory.ints(p.pageTable, segments * maxPages, kernel, 'pageTable')
  const softmax = new Softmax(memory, p, segments, heads, kernel)
  const outv = new Float64Array(rowsQ * heads * d)
  for (let s = 0; s < segments; s++) {
    const kLen = lengths[s]!
    if (kLen < 0 || kLen > maxPages * pageSize) {
      throw new IftError(
        'IFT_INDEX_RANGE',
        `${kernel}: kvLengths[${s}] is ${kLen}, the table has ${maxPages} pages`,
      )
    }
    const at = new Int32Array(kLen)
    for (let j = 0; j < kLen; j++) {
      const page = table[s * maxPages + Math.floor(j / pageSize)]!
      if (page < 0 || page >= pages) {
        throw new IftError(
          'IFT_INDEX_RANGE',
          `${kernel}: page ${page} of sequence ${s}, the pool has ${pages}`,
        )
      }
      at[j] = page * pageSize + (j % pageSize)
    }
    const offset = kLen - (cuQ[s + 1]! - cuQ[s]!)
    for (let i = cuQ[s]!; i < cuQ[s + 1]!; i++) {
      const place = i - cuQ[s]! + offset
      for (let h = 0; h < heads; h++) {
        const hk = Math.floor(h / group)
        const qAt = (i * heads + h) * d
        const scores = new Float64Array(kLen).fill(-Infinity)
        for (let j = 0; j < kLen; j++) {
          if (!softmax.visible(s, place, j)) continue
          const kAt = (at[j]! * kvHeads + hk) * d
          let dot = 0
          for (let c = 0; c < d; c++) dot += qv[qAt + c]! * kv[kAt + c]!
          scores[j] = dot * scale + softmax.bias(h, place, j)
        }
        Softmax.normalize(scores)
        for (let j = 0; j < kLen; j++) {
          const weight = scores[j]!
          const vAt = (at[j]! * kvHeads + hk) * d
          if (weight !== 0) for (let c = 0; c < d; c++) outv[qAt + c]! += weight * vv[vAt + c]!
        }
      }
    }
  }
  memory.store(out, outv, dtype, kernel, 'out')
}
