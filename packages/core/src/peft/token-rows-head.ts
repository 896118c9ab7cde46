import {
  columnRuns,
  ops,
  Parameter,
  type ColumnRun,
  type Linear,
  type TiedLinear,
  type Tensor,
} from '@ift/tensor'
import type { AdapterTensor, MergedWeights } from './adapted-layer.js'
import { AdaptedLinear } from './adapted-linear.js'
import { values } from './start.js'
import { tableRows, withRows, type TokenRows } from './token-rows.js'

/** A tied head, and the trained rows of the embedding that it is tied to. */
export interface TiedRows {
  readonly head: TiedLinear
  readonly rows: TokenRows
  /** Whether the file has the rows under the head's name too. */
  readonly repeated: boolean
}

/** A head of which some rows are trained: their logits are its own, the others are those of the frozen weight. */
export class TokenRowsHead extends AdaptedLinear {
  /** [n, C], in the order of `indices`; absent where the rows are those of a tied embedding. */
  readonly trainable_tokens_delta: Parameter | undefined
  readonly #fileName: string
  readonly #tied: TiedRows | undefined
  readonly #runs: readonly ColumnRun[]

  constructor(
    base: Linear,
    readonly indices: readonly number[],
    /** End of the tensor's name in the adapter file. */
    fileName: string,
    tied?: TiedRows,
  ) {
    super(base)
    this.#fileName = fileName
    this.#tied = tied
    this.#runs = columnRuns(indices)
    this.trainable_tokens_delta = tied ? undefined : new Parameter([indices.length, base.inFeatures])
  }

  /** What stands here when the rows are in the table that it reads. */
  get replaced(): TiedLinear | undefined {
    return this.#tied?.head
  }

  get repeats(): ReadonlyMap<string, Parameter> | undefined {
    return this.#tied?.repeated ? new Map([[this.#fileName, this.#rows]]) : undefined
  }

  tensors(): readonly AdapterTensor[] {
    const parameter = this.trainable_tokens_delta
    const start = values(() => tableRows(this.base_layer.weight, this.indices))
    return parameter ? [{ name: this.#fileName, parameter, start }] : []
  }

  protected adapted(x: Tensor, addTo?: Tensor): Tensor {
    const { base_layer: base } = this
    const added = addTo && ops.gatherColumns(addTo, this.#runs)
    const bias = base.bias && ops.gatherColumns(base.bias.value.reshape(1, -1), this.#runs).reshape(-1)
    const logits = base.call(x, addTo)
    const own = ops.linear(x, this.#rows.value, { bias, addTo: added })
    return ops.replaceColumns(logits, own, this.#runs)
  }

  merged(): MergedWeights {
    return { weight: withRows(this.frozen(), this.indices, this.#rows) }
  }

  get #rows(): Parameter {
    return this.trainable_tokens_delta ?? this.#tied!.rows.trainable_tokens_delta
  }
}
