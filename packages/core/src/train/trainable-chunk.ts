import { keep, scope, zeros, type Backend, type FloatDType, type Tensor } from '@ift/tensor'
import type { TrainableParameter } from '../contract/index.js'

/** Where a parameter begins is a multiple of this many elements: 64 bytes in 16 bits, which vector loads want. */
const alignment = 32

/** Elements of a chunk at most, unless one parameter has more: a quarter of a GiB in f32. */
const largest = 2 ** 26

/** Parameters that are updated at the same rate, with and without decay alike. */
interface Kind {
  readonly dtype: FloatDType
  readonly lrScale: number
  readonly decay: boolean
}

const kindOf = ({ parameter, lrScale, decay }: TrainableParameter): Kind => ({
  dtype: parameter.value.dtype as FloatDType,
  lrScale,
  decay,
})

/** What an update works on: f32 [n] each, and the values [n] in the model's dtype, or null where the masters are the values. */
export interface Span {
  readonly values: Tensor
  readonly masters: Tensor | null
  readonly gradients: Tensor
  readonly m: Tensor
  readonly v: Tensor
}

/**
 * Parameters of one kind end to end: values, masters, gradients and moments in one buffer each, so that a step is a handful
 * of kernels however many parameters there are, and ranks sum the gradients where they lie. What lies between parameters is
 * zero and stays so.
 */
export class TrainableChunk {
  readonly gradients: Tensor
  /** First and second moment of each parameter, f32 [n]. */
  readonly moments: readonly { readonly m: Tensor; readonly v: Tensor }[]
  readonly #values: Tensor
  /** The values themselves in f32. */
  readonly #masters: Tensor
  readonly #m: Tensor
  readonly #v: Tensor
  readonly #starts: readonly number[]
  readonly #size: number

  constructor(
    backend: Backend,
    readonly parameters: readonly TrainableParameter[],
    readonly kind: Kind,
  ) {
    let size = 0
    this.#starts = parameters.map(({ parameter }) => {
      const start = size
      size += aligned(parameter.value.size)
      return start
    })
    this.#size = size
    this.#values = keep(zeros(backend, [size], kind.dtype))
    this.#masters = kind.dtype === 'f32' ? this.#values : keep(zeros(backend, [size], 'f32'))
    for (const [i, { parameter }] of parameters.entries()) {
      const master = kind.dtype === 'f32' ? null : this.#part(this.#masters, i)
      parameter.moveInto(this.#part(this.#values, i), master)
    }
    this.gradients = keep(zeros(backend, [size], 'f32'))
    for (const [i, { parameter }] of parameters.entries()) parameter.gradientIn(this.#part(this.gradients, i))
    this.#m = keep(zeros(backend, [size], 'f32'))
    this.#v = keep(zeros(backend, [size], 'f32'))
    this.moments = parameters.map((_, i) => ({ m: this.#part(this.#m, i), v: this.#part(this.#v, i) }))
  }

  /** Chunks for all of them: of one kind each, in the order given, none much larger than a quarter of a GiB in f32. */
  static of(backend: Backend, parameters: readonly TrainableParameter[]): TrainableChunk[] {
    const open = new Map<string, { kind: Kind; members: TrainableParameter[]; size: number }>()
    const all: { kind: Kind; members: TrainableParameter[]; size: number }[] = []
    for (const one of parameters) {
      const kind = kindOf(one)
      const key = JSON.stringify(kind)
      const size = aligned(one.parameter.value.size)
      let chunk = open.get(key)
      if (chunk === undefined || chunk.size + size > largest) {
        chunk = { kind, members: [], size: 0 }
        open.set(key, chunk)
        all.push(chunk)
      }
      chunk.members.push(one)
      chunk.size += size
    }
    return all.map(({ kind, members }) => new TrainableChunk(backend, members, kind))
  }

  #part(flat: Tensor, index: number): Tensor {
    const start = this.#starts[index]!
    return keep(flat.rows(start, start + this.parameters[index]!.parameter.value.size))
  }

  /** Calls `each` for every stretch of parameters that have a gradient: once, unless some have none. */
  forSpans(each: (span: Span) => void): void {
    const { parameters } = this
    for (let from = 0; from < parameters.length; from++) {
      let to = from
      while (to < parameters.length && parameters[to]!.parameter.settleGradient()) to++
      if (to === from) continue
      const [start, end] = [this.#starts[from]!, this.#starts[to] ?? this.#size]
      scope(() => {
        const part = (flat: Tensor) => flat.rows(start, end)
        const values = part(this.#values)
        each({
          values,
          masters: this.#masters === this.#values ? null : part(this.#masters),
          gradients: part(this.gradients),
          m: part(this.#m),
          v: part(this.#v),
        })
      })
      from = to
    }
  }

  /** The parameters keep their values. */
  release(): void {
    for (const { parameter } of this.parameters) parameter.gradientIn(null)
    for (const { m, v } of this.moments) {
      m.release()
      v.release()
    }
    for (const flat of new Set([this.#values, this.#masters, this.gradients, this.#m, this.#v]))
      flat.release()
  }
}

const aligned = (size: number) => Math.ceil(size / alignment) * alignment
