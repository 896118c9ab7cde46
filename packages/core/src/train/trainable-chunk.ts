import { keep, zeros, type Backend, type FloatDType, type Tensor } from '@ift/tensor'
import type {
  OptimizerSpan,
  OptimizerState,
  SteppedParameter,
  TrainableParameter,
} from '../contract/index.js'

/** Where a parameter begins is a multiple of this many elements: 64 bytes in 16 bits, which vector loads want. */
const alignment = 32

/** Elements of a chunk at most, unless one parameter has more: a quarter of a GiB in f32. */
const largest = 2 ** 26

/** What an optimizer keeps for a parameter of a shape. */
export type StateOf = (shape: readonly number[]) => OptimizerState

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

/** Rates of a step for what has an `lrScale` of 1 and is not exempt from decay. */
export interface StepRates {
  readonly learningRate: number
  readonly weightDecay: number
}

/**
 * Parameters of one kind end to end: values, masters, gradients and each state in one buffer, so that a step takes a
 * few kernels for any number of parameters, and ranks sum the gradients in place. Padding between parameters is
 * always zero.
 */
export class TrainableChunk {
  readonly gradients: Tensor
  /** State of each parameter by name: f32, its elements as a vector. */
  readonly state: readonly Readonly<Record<string, Tensor>>[]
  readonly #values: Tensor
  /** The values themselves in f32. */
  readonly #masters: Tensor
  /** State by name, and whether it lies as the parameters do. */
  readonly #state: ReadonlyMap<string, { readonly flat: Tensor; readonly parallel: boolean }>
  readonly #starts: readonly number[]
  readonly #size: number

  constructor(
    backend: Backend,
    readonly parameters: readonly TrainableParameter[],
    readonly kind: Kind,
    stateOf: StateOf,
  ) {
    const sizes = parameters.map(({ parameter }) => parameter.value.size)
    const { starts, size } = endToEnd(sizes)
    this.#starts = starts
    this.#size = size
    this.#values = keep(zeros(backend, [size], kind.dtype))
    this.#masters = kind.dtype === 'f32' ? this.#values : keep(zeros(backend, [size], 'f32'))
    for (const [i, { parameter }] of parameters.entries()) {
      const master = kind.dtype === 'f32' ? null : part(this.#masters, starts[i]!, sizes[i]!)
      parameter.moveInto(part(this.#values, starts[i]!, sizes[i]!), master)
    }
    this.gradients = keep(zeros(backend, [size], 'f32'))
    for (const [i, { parameter }] of parameters.entries())
      parameter.gradientIn(part(this.gradients, starts[i]!, sizes[i]!))
    const declared = parameters.map(({ parameter }) => stateOf(parameter.shape))
    const parts = parameters.map((): Record<string, Tensor> => ({}))
    const state = new Map<string, { flat: Tensor; parallel: boolean }>()
    for (const name of new Set(declared.flatMap(Object.keys))) {
      const parallel = declared.every((of, i) => of[name]?.join() === parameters[i]!.parameter.shape.join())
      const of = declared.map((shapes) => (shapes[name] ? elements(shapes[name]) : 0))
      const { starts, size } = endToEnd(of)
      const flat = keep(zeros(backend, [size], 'f32'))
      state.set(name, { flat, parallel })
      for (const [i, count] of of.entries()) if (count > 0) parts[i]![name] = part(flat, starts[i]!, count)
    }
    this.#state = state
    this.state = parts
  }

  /** Chunks for all of them: of one kind each, in the order given, none much larger than a quarter of a GiB in f32. */
  static of(backend: Backend, parameters: readonly TrainableParameter[], stateOf: StateOf): TrainableChunk[] {
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
    return all.map(({ kind, members }) => new TrainableChunk(backend, members, kind, stateOf))
  }

  /**
   * Every stretch of parameters that have a gradient: one, unless some have none. The spans are views, for the caller's scope.
   */
  *spans({ learningRate, weightDecay }: StepRates): Iterable<OptimizerSpan> {
    const { parameters, kind } = this
    for (let from = 0; from < parameters.length; from++) {
      let to = from
      while (to < parameters.length && parameters[to]!.parameter.settleGradient()) to++
      if (to === from) continue
      const [start, end] = [this.#starts[from]!, this.#starts[to] ?? this.#size]
      const cut = (flat: Tensor) => flat.rows(start, end)
      const parallel = [...this.#state].filter(([, { parallel }]) => parallel)
      const members = { from, to }
      yield {
        size: end - start,
        dtype: kind.dtype,
        learningRate: learningRate * kind.lrScale,
        weightDecay: kind.decay ? weightDecay : 0,
        values: cut(this.#values),
        masters: this.#masters === this.#values ? null : cut(this.#masters),
        gradients: cut(this.gradients),
        state: Object.fromEntries(parallel.map(([name, { flat }]) => [name, cut(flat)])),
        parameters: () => this.#stepped(members),
      }
      from = to
    }
  }

  *#stepped({ from, to }: { readonly from: number; readonly to: number }): Iterable<SteppedParameter> {
    for (let i = from; i < to; i++) {
      const { name, parameter } = this.parameters[i]!
      const { value, master, shape } = parameter
      yield {
        name,
        shape,
        value,
        master: master === value ? null : master,
        gradient: parameter.gradient(),
        state: this.state[i]!,
      }
    }
  }

  /** The parameters keep their values. */
  release(): void {
    for (const { parameter } of this.parameters) parameter.gradientIn(null)
    for (const parts of this.state) for (const tensor of Object.values(parts)) tensor.release()
    const state = [...this.#state.values()].map(({ flat }) => flat)
    for (const flat of new Set([this.#values, this.#masters, this.gradients, ...state])) flat.release()
  }
}

/** Bytes of the state of parameters of these shapes, as chunks hold it. */
export const stateBytes = (shapes: Iterable<readonly number[]>, stateOf: StateOf): number => {
  let size = 0
  for (const shape of shapes) for (const of of Object.values(stateOf(shape))) size += aligned(elements(of))
  return 4 * size
}

const aligned = (size: number) => Math.ceil(size / alignment) * alignment
const elements = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1)

/** Where each of these numbers of elements begins, and how many elements all of them take. */
function endToEnd(sizes: readonly number[]): { starts: number[]; size: number } {
  let size = 0
  const starts = sizes.map((of) => {
    const start = size
    size += aligned(of)
    return start
  })
  return { starts, size }
}

const part = (flat: Tensor, start: number, size: number): Tensor => keep(flat.rows(start, start + size))
