import type { Segments } from '../tensor/segments.js'
import { emptyLike, describe, type Tensor } from '../tensor/tensor.js'
import { expectMask, type AttentionOptions } from './attention.js'
import { expectDevice, expectDType, expectRank, expectVector, floatOf, shapeError } from './check.js'

export interface PagedAttentionOptions extends AttentionOptions {
  readonly q: Segments
  /** i32 [sequences]: keys of each, those of the new queries included. */
  readonly kvLengths: Tensor
  /** No kvLength is larger. */
  readonly maxK: number
  /** i32 [sequences, maxPages]: page p of sequence s. */
  readonly pageTable: Tensor
}

/**
 * Attention of new queries over keys and values in pages (Kwon et al. 2023, arXiv:2309.06180). q [Nq, H, D], kPages and
 * vPages [pages, pageSize, Hkv, D] -> [Nq, H, D]. Not recorded.
 */
export function attentionPaged(
  q: Tensor,
  kPages: Tensor,
  vPages: Tensor,
  options: PagedAttentionOptions,
): Tensor {
  const dtype = floatOf('attentionPaged', 'q', q)
  expectRank('attentionPaged', 'q', q, 3, '[Nq, H, D]')
  expectRank('attentionPaged', 'kPages', kPages, 4, '[pages, pageSize, Hkv, D]')
  const heads = q.shape[1]!
  const headDim = q.shape[2]!
  const kvHeads = kPages.shape[2]!
  const { q: qs, kvLengths, pageTable, visiblePrefix, alibiSlopes } = options
  if (kPages.shape[3] !== headDim || heads % kvHeads !== 0) {
    throw shapeError('attentionPaged', `kPages ${describe(kPages)} does not fit q ${describe(q)}`)
  }
  if (vPages.size !== kPages.size) {
    throw shapeError('attentionPaged', `vPages expected ${describe(kPages)}, found ${describe(vPages)}`)
  }
  if (q.shape[0] !== qs.rows)
    throw shapeError('attentionPaged', `q expected ${qs.rows} rows, found ${describe(q)}`)
  expectDType('attentionPaged', 'kPages', kPages, dtype)
  expectDType('attentionPaged', 'vPages', vPages, dtype)
  expectDevice('attentionPaged', 'kPages', kPages, q)
  expectVector('attentionPaged', 'kvLengths', kvLengths, qs.count, q)
  expectDType('attentionPaged', 'kvLengths', kvLengths, 'i32')
  expectRank('attentionPaged', 'pageTable', pageTable, 2, '[sequences, maxPages]')
  expectDType('attentionPaged', 'pageTable', pageTable, 'i32')
  if (pageTable.shape[0] !== qs.count) {
    throw shapeError(
      'attentionPaged',
      `pageTable expected [${qs.count}, maxPages], found ${describe(pageTable)}`,
    )
  }
  expectMask('attentionPaged', options, qs.count, heads, q)
  const y = emptyLike(q)
  q.backend.attentionPaged(y.buf, q.buf, kPages.buf, vPages.buf, {
    segments: qs.count,
    cuQ: qs.cu.buf,
    maxQ: qs.max,
    rowsQ: qs.rows,
    kvLengths: kvLengths.buf,
    maxK: options.maxK,
    pageTable: pageTable.buf,
    maxPages: pageTable.shape[1]!,
    pageSize: kPages.shape[1]!,
    pages: kPages.shape[0]!,
    heads,
    kvHeads,
    headDim,
    scale: options.scale ?? 1 / Math.sqrt(headDim),
    dtype,
    causal: options.causal,
    visiblePrefix: visiblePrefix?.buf,
    alibiSlopes: alibiSlopes?.buf,
  })
  return y
}
