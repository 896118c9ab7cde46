import { empty, full, keep, scope, zeros, type Backend, type Parameter, type Tensor } from '@ift/tensor'
import type { SvdLinear, Triplets } from './svd-linear.js'

/** Where a parameter begins is a multiple of this many elements, which vector loads want. */
const alignment = 32

/** Decay of both averages. */
export interface Decays {
  readonly beta1: number
  readonly beta2: number
}

/** A parameter and its place in the flat buffers. */
interface Place {
  readonly name: string
  readonly parameter: Parameter
  readonly size: number
  readonly start: number
}

/**
 * How much the loss depends on every weight: the mean of |w · ∂L/∂w| over the steps and its mean deviation, both with exponential
 * decay (eq. 8 to 11 of arXiv:2303.10512). The numbers stay on the device, for all weights end to end.
 */
export class Sensitivity {
  readonly #backend: Backend
  readonly #decays: Decays
  readonly #layers: readonly {
    readonly triplets: Triplets
    readonly at: Readonly<Record<keyof Triplets, Place>>
  }[]
  readonly #places: readonly Place[]
  readonly #size: number
  readonly #mean: Tensor
  readonly #deviation: Tensor
  readonly #ones: Tensor
  readonly #parts = new Map<string, Tensor>()

  constructor(backend: Backend, layers: ReadonlyMap<string, SvdLinear>, decays: Decays) {
    this.#backend = backend
    this.#decays = decays
    let size = 0
    const place = (name: string, parameter: Parameter): Place => {
      const start = size
      const elements = parameter.shape.reduce((a, b) => a * b, 1)
      size += Math.ceil(elements / alignment) * alignment
      return { name, parameter, size: elements, start }
    }
    let widest = 1
    this.#layers = [...layers].flatMap(([path, { triplets, inFeatures, outFeatures }]) => {
      if (!triplets) return []
      widest = Math.max(widest, inFeatures, outFeatures)
      const of = (key: keyof Triplets) => place(`${path}.${key}`, triplets[key])
      return { triplets, at: { lora_A: of('lora_A'), lora_E: of('lora_E'), lora_B: of('lora_B') } }
    })
    this.#places = this.#layers.flatMap(({ at }) => [at.lora_A, at.lora_E, at.lora_B])
    this.#size = Math.max(size, 1)
    this.#mean = keep(zeros(backend, [this.#size], 'f32'))
    this.#deviation = keep(zeros(backend, [this.#size], 'f32'))
    this.#ones = keep(full(backend, [widest], 1, 'f32'))
    for (const { name, start, size } of this.#places) {
      this.#parts.set(`sensitivity.${name}`, keep(this.#mean.rows(start, start + size)))
      this.#parts.set(`deviation.${name}`, keep(this.#deviation.rows(start, start + size)))
    }
  }

  /** Takes in the weights and the gradients of a step, which are multiplied by `gradientScale` f32 [1]. */
  update(gradientScale: Tensor): void {
    const { beta1, beta2 } = this.#decays
    const backend = this.#backend
    const n = this.#size
    scope(() => {
      // Zero between the parameters.
      const now = zeros(backend, [n], 'f32')
      const work = empty(backend, [n], 'f32')
      for (const { parameter, start, size } of this.#places)
        backend.mul(
          now.rows(start, start + size).buf,
          parameter.master.buf,
          parameter.gradient().buf,
          size,
          'f32',
        )
      backend.scaleColumns(now.buf, now.buf, gradientScale.buf, n, 1, 'f32')
      // |x| = 2 relu(x) - x, without rounding.
      const absolute = () => {
        backend.unary('relu', work.buf, now.buf, n, 'f32')
        backend.axpby(now.buf, 2, work.buf, -1, now.buf, n, 'f32')
      }
      const [mean, deviation] = [this.#mean.buf, this.#deviation.buf]
      absolute()
      backend.axpby(mean, beta1, mean, 1 - beta1, now.buf, n, 'f32')
      backend.axpby(now.buf, 1, now.buf, -1, mean, n, 'f32')
      absolute()
      backend.axpby(deviation, beta2, deviation, 1 - beta2, now.buf, n, 'f32')
    })
  }

  /**
   * The score of every singular value, layer after layer: mean times deviation of E, and the averages of those of its row of A and
   * its column of B (eq. 7 and 11). Waits for the device.
   */
  async scores(): Promise<Float32Array> {
    const backend = this.#backend
    const total = this.#layers.reduce((sum, { at }) => sum + at.lora_E.size, 0)
    if (total === 0) return new Float32Array(0)
    const scores = keep(zeros(backend, [total], 'f32'))
    try {
      scope(() => {
        const products = empty(backend, [this.#size], 'f32')
        backend.mul(products.buf, this.#mean.buf, this.#deviation.buf, this.#size, 'f32')
        const part = ({ start, size }: Place) => products.rows(start, start + size).buf
        let from = 0
        for (const { at, triplets } of this.#layers) {
          const r = at.lora_E.size
          const [input, out] = [triplets.lora_A.shape[1]!, triplets.lora_B.shape[0]!]
          const own = scores.rows(from, from + r).buf
          from += r
          const common = { m: r, n: 1, transB: false, dtype: 'f32', outDtype: 'f32' } as const
          backend.copy2d(own, 0, r, part(at.lora_E), 0, r, 1, r, 'f32', 0)
          backend.gemm(own, part(at.lora_A), this.#ones.buf, null, {
            ...{ k: input, transA: false, alpha: 1 / input, beta: 1, ...common },
          })
          backend.gemm(own, part(at.lora_B), this.#ones.buf, null, {
            ...{ k: out, transA: true, alpha: 1 / out, beta: 1, ...common },
          })
        }
      })
      return await scores.read()
    } finally {
      scores.release()
    }
  }

  /** Both numbers of every weight, for checkpoints. */
  state(): Iterable<readonly [name: string, tensor: Tensor]> {
    return this.#parts
  }

  release(): void {
    for (const part of this.#parts.values()) part.release()
    for (const flat of [this.#mean, this.#deviation, this.#ones]) flat.release()
  }
}
