import {
  empty,
  full,
  keep,
  noGrad,
  ops,
  Parameter,
  QuantizedTensor,
  scope,
  tensor,
  zeros as zeroTensor,
  type Embedding,
  type FloatDType,
  type Tensor,
} from '@ift/tensor'
import { AdaptedEmbedding } from './adapted-embedding.js'
import type { AdapterTensor, MergedWeights } from './adapted-layer.js'
import { values } from './start.js'

/**
 * An embedding of which some rows are trained, and nothing else: ids i32 [N] -> [N, C]. As in Hugging Face PEFT, whose name says
 * otherwise, `trainable_tokens_delta` holds the rows themselves, so that a merged table has them bit for bit.
 */
export class TokenRows extends AdaptedEmbedding {
  /** [n, C], in the order of `indices`. */
  readonly trainable_tokens_delta: Parameter
  readonly #fileName: string
  /** i32 [V]: place in the trained rows of every id, n where it has none. */
  readonly #slots: Tensor
  /** [n + 1, C]: zeros, and ones in the last row. */
  readonly #frozenShare: Tensor
  /** [1, C]: what ids without a trained row add. */
  readonly #nothing: Tensor

  constructor(
    base_layer: Embedding,
    readonly indices: readonly number[],
    /** End of the tensor's name in the adapter file. */
    fileName: string,
    dtype: FloatDType,
  ) {
    super(base_layer)
    this.#fileName = fileName
    const { count, dim, weight } = base_layer
    const n = indices.length
    this.trainable_tokens_delta = new Parameter([n, dim])
    const { backend } = weight.value
    const slots = new Int32Array(count).fill(n)
    for (const [slot, id] of indices.entries()) slots[id] = slot
    // All of them, or none.
    const tables = noGrad(() =>
      scope(() => ({
        slots: tensor(backend, slots, [count], 'i32'),
        nothing: full(backend, [1, dim], 0, dtype),
        frozenShare: ops.concatRows([
          zeroTensor(backend, [n, dim], dtype),
          full(backend, [1, dim], 1, dtype),
        ]),
      })),
    )
    this.#slots = keep(tables.slots)
    this.#nothing = keep(tables.nothing)
    this.#frozenShare = keep(tables.frozenShare)
  }

  tensors(): readonly AdapterTensor[] {
    const start = values(() => tableRows(this.weight, this.indices))
    return [{ name: this.#fileName, parameter: this.trainable_tokens_delta, start }]
  }

  protected adapted(ids: Tensor): Tensor {
    const { base_layer: base } = this
    const slots = ops.gatherIndices(this.#slots, ids)
    const trained = ops.concatRows([this.trainable_tokens_delta.value, this.#nothing])
    const frozen = ops.mul(ops.embedding(base.weight, ids), ops.gatherRows(this.#frozenShare, slots))
    return base.scaled(ops.add(frozen, ops.gatherRepeatedRows(trained, slots)))
  }

  merged(): MergedWeights {
    return { weight: withRows(ops.cast(this.weight.value, 'f32'), this.indices, this.trainable_tokens_delta) }
  }

  releaseTables(): void {
    for (const table of [this.#slots, this.#frozenShare, this.#nothing]) table.release()
  }
}

/** Rows of a table as f32, one after the other. */
export async function tableRows({ operand }: Parameter, indices: readonly number[]): Promise<Float32Array> {
  const rows = noGrad(() =>
    scope(() => {
      const table = operand instanceof QuantizedTensor ? operand.dequantize('f32') : operand
      return ops.gatherRows(table, tensor(table.backend, indices, [indices.length], 'i32'))
    }),
  )
  try {
    return await rows.read()
  } finally {
    rows.release()
  }
}

/** A copy of a table, f32 [V, C], with other rows at the indices. */
export function withRows(table: Tensor, indices: readonly number[], rows: Parameter): Tensor {
  const [count, dim] = table.shape as [number, number]
  const { backend } = table
  const copy = empty(backend, table.shape, 'f32')
  backend.copy2d(copy.buf, 0, dim, table.buf, 0, dim, count, dim, 'f32', 0)
  const at = tensor(backend, indices, [indices.length], 'i32')
  const values = ops.cast(rows.value, 'f32')
  backend.scatterRows(copy.buf, values.buf, at.buf, indices.length, dim, count, 'f32', 'f32', 0)
  return copy
}
