import {
  empty,
  full,
  keep,
  noGrad,
  ops,
  scope,
  zeros,
  type Backend,
  type Parameter,
  type Tensor,
} from '@ift/tensor'
import type { SvdLinear } from './svd-linear.js'

/** Added to the mean square of a gram matrix less the identity, so that one without a difference has a gradient of zero. */
const smallest = 1e-30

/** Singular vectors of a layer. */
interface Factor {
  readonly parameter: Parameter
  /** Whether they are its columns; its rows otherwise. */
  readonly columns: boolean
}

/** Factors of one rank, whose gram matrices lie one behind the other. */
interface Group {
  readonly rank: number
  readonly factors: readonly Factor[]
  /** [factors, rank²]: the identity, negative. */
  readonly minusIdentity: Tensor
}

/**
 * weight · mean over all A and B of ‖A Aᵀ - I‖ and ‖Bᵀ B - I‖, Frobenius norms that are not squared: the penalty as Hugging Face PEFT has
 * it (the paper, eq. 4, squares them). Pruned singular vectors count as the others do. The f32 masters are what is penalised.
 */
export class Orthogonality {
  readonly #backend: Backend
  readonly #groups: readonly Group[]
  readonly #inputs: readonly Parameter[]
  /** Weight of one norm. */
  readonly #weight: number

  constructor(backend: Backend, layers: Iterable<SvdLinear>, weight: number) {
    this.#backend = backend
    const byRank = new Map<number, Factor[]>()
    let norms = 0
    for (const { triplets, rank } of layers) {
      // The factors of a layer without singular values are counted, and have no norm.
      norms += 2
      if (!triplets) continue
      const group = byRank.get(rank) ?? []
      byRank.set(rank, group)
      group.push(
        { parameter: triplets.lora_A, columns: false },
        { parameter: triplets.lora_B, columns: true },
      )
    }
    this.#weight = weight / norms
    this.#groups = [...byRank].map(([rank, factors]) => ({
      ...{ rank, factors },
      minusIdentity: minusIdentity(backend, factors.length, rank),
    }))
    this.#inputs = this.#groups.flatMap(({ factors }) => factors.map(({ parameter }) => parameter))
  }

  /** f32 [1] with its gradient. */
  penalty(): Tensor {
    const backend = this.#backend
    if (this.#inputs.length === 0) return zeros(backend, [1], 'f32')
    return ops.custom({
      name: 'orthogonality',
      inputs: this.#inputs.map(({ value }) => value),
      forward: () => {
        const differences = this.#groups.map((group) => this.#difference(group))
        const output = zeros(backend, [1], 'f32')
        for (const [i, { factors, rank }] of this.#groups.entries()) {
          const norms = empty(backend, [factors.length], 'f32')
          backend.rowNorms(norms.buf, differences[i]!.buf, factors.length, rank * rank, 'f32')
          backend.sumRows(output.buf, norms.buf, factors.length, 1, 'f32', 1)
        }
        backend.axpby(output.buf, this.#weight, output.buf, 0, output.buf, 1, 'f32')
        return { output, saved: differences }
      },
      backward: (dy, differences) =>
        this.#groups.flatMap((group, i) => this.#gradients(group, differences[i]!, dy)),
    })
  }

  /** [factors, rank²]: A Aᵀ - I or Bᵀ B - I of every factor. */
  #difference({ factors, rank, minusIdentity }: Group): Tensor {
    const backend = this.#backend
    const difference = empty(backend, minusIdentity.shape, 'f32')
    const { size } = difference
    backend.copy2d(difference.buf, 0, size, minusIdentity.buf, 0, size, 1, size, 'f32', 0)
    for (const [i, { parameter, columns }] of factors.entries()) {
      const vectors = parameter.master.buf
      backend.gemm(difference.rows(i, i + 1).buf, vectors, vectors, null, {
        m: rank,
        n: rank,
        k: parameter.shape[columns ? 0 : 1]!,
        transA: columns,
        transB: !columns,
        alpha: 1,
        beta: 1,
        dtype: 'f32',
        outDtype: 'f32',
      })
    }
    return difference
  }

  /** ∂‖D‖/∂A = 2 D A / ‖D‖ with D = A Aᵀ - I, and 2 B D / ‖D‖ for the columns of B. */
  #gradients({ factors, rank }: Group, difference: Tensor, dy: Tensor): Tensor[] {
    const backend = this.#backend
    const [n, elements] = [factors.length, rank * rank]
    // D / ‖D‖, times rank: its elements over their root mean square.
    const unit = empty(backend, difference.shape, 'f32')
    const inverse = empty(backend, [n], 'f32')
    const ones = full(backend, [elements], 1, 'f32')
    backend.rmsNorm(unit.buf, inverse.buf, difference.buf, ones.buf, n, elements, smallest, 'f32')
    backend.scaleColumns(unit.buf, unit.buf, dy.buf, n * elements, 1, 'f32')
    const alpha = (2 * this.#weight) / rank
    return factors.map(({ parameter, columns }, i) => {
      const gradient = empty(backend, parameter.shape, 'f32')
      const own = unit.rows(i, i + 1).buf
      const vectors = parameter.master.buf
      const [m, columnCount] = parameter.shape as [number, number]
      const common = { m, n: columnCount, k: rank, transA: false, transB: false, alpha, beta: 0 } as const
      if (columns)
        backend.gemm(gradient.buf, vectors, own, null, { ...common, dtype: 'f32', outDtype: 'f32' })
      else backend.gemm(gradient.buf, own, vectors, null, { ...common, dtype: 'f32', outDtype: 'f32' })
      return gradient
    })
  }

  release(): void {
    for (const { minusIdentity } of this.#groups) minusIdentity.release()
  }
}

/** [count, rank²]: the identity, negative, `count` times. Made on the device, whose memory bounds the rank. */
const minusIdentity = (backend: Backend, count: number, rank: number): Tensor =>
  keep(
    noGrad(() =>
      scope(() => {
        const all = zeros(backend, [count, rank * rank], 'f32')
        const diagonal = full(backend, [rank], -1, 'f32')
        for (let i = 0; i < count; i++)
          backend.copy2d(all.buf, i * rank * rank, rank + 1, diagonal.buf, 0, 1, rank, 1, 'f32', 0)
        return all
      }),
    ),
  )
