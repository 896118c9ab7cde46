import type {
  AdapterFiles,
  AdapterSource,
  PeftContext,
  PeftHandle,
  PeftPrefix,
  TrainableParameter,
} from '@ift/core'
import { keep, noGrad, zeros, type Tensor } from '@ift/tensor'
import { rowsName, Table, type StoredRows, type RowSource } from './row-source.js'

export interface VirtualTokenParts {
  readonly context: PeftContext
  /** What makes the rows, started. */
  readonly rows: RowSource
  /** What a file holds, checked against the model. */
  stored(source: AdapterSource): StoredRows
  prefix(rows: () => Tensor): PeftPrefix
  /** Fields of adapter_config.json. */
  config(): Readonly<Record<string, unknown>>
  /** Those that say how rows begin and are made. */
  readonly startFields: readonly string[]
  lost?(config: Readonly<Record<string, unknown>>): string | null
  readonly unmergeable: string
}

/** Virtual tokens of one model, in the files of Hugging Face PEFT: the rows, without what made them. */
export class VirtualTokenHandle implements PeftHandle {
  readonly merge = null
  readonly unmergeable: string
  readonly #parts: VirtualTokenParts
  readonly #prefix: PeftPrefix
  #rows: RowSource
  /** adapter_config.json of what was loaded. */
  #loaded: Readonly<Record<string, unknown>> | null = null
  #enabled = true
  /** Made for a save, freed at the next one or with the handle. */
  #saved: Tensor | null = null

  constructor(parts: VirtualTokenParts) {
    this.#parts = parts
    this.#rows = parts.rows
    this.unmergeable = parts.unmergeable
    this.#prefix = parts.prefix(() => this.#rows.call())
  }

  get prefix(): PeftPrefix | undefined {
    return this.#enabled ? this.#prefix : undefined
  }

  get stochastic(): boolean {
    return this.#rows.stochastic
  }

  get notes(): readonly string[] {
    const lost = this.#loaded && this.#rows instanceof Table && this.#parts.lost?.(this.#loaded)
    return lost
      ? [
          `The adapter holds the rows that ${lost} made, and not ${lost}: training goes on on the rows themselves.`,
        ]
      : []
  }

  /** Of an encoder what the adapter's file does not hold, and the checkpoints of a run do. */
  *trainable(): Iterable<TrainableParameter> {
    for (const { name, parameter } of this.#rows.tensors())
      yield { name, parameter, lrScale: 1, decay: parameter.shape.length > 1 }
  }

  save(): Promise<AdapterFiles> {
    this.#saved?.release()
    // The rows of the file are those without dropout.
    const { training } = this.#rows
    this.#rows.training = false
    this.#saved = keep(noGrad(() => this.#rows.call()))
    this.#rows.training = training
    const fields: Record<string, unknown> = { ...this.#parts.config() }
    for (const field of this.#parts.startFields)
      if (this.#loaded?.[field] !== undefined) fields[field] = this.#loaded[field]
    const sorted = Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1))
    return Promise.resolve({
      config: Object.fromEntries(sorted),
      tensors: new Map([[rowsName, this.#saved]]),
    })
  }

  async load(source: AdapterSource): Promise<void> {
    const { rows, names } = this.#parts.stored(source)
    if (layout(rows) !== layout(this.#rows)) this.#replace(rows)
    const parameters = new Map(this.#rows.tensors().map(({ name, parameter }) => [name, parameter]))
    for (const [inFile, name] of names) {
      const { buf } = parameters.get(name)!.master
      this.#parts.context.backend.write(buf, await source.read(inFile))
    }
    this.#loaded = source.config
  }

  /** Rows from a file in the place of what would have made them. */
  #replace(rows: RowSource): void {
    rows.training = this.#rows.training
    this.#rows.release()
    this.#rows = rows
    for (const { parameter } of rows.tensors()) {
      parameter.assign(zeros(this.#parts.context.backend, parameter.shape, 'f32'))
      parameter.setTrainable(true)
    }
  }

  setTraining(on: boolean): void {
    this.#rows.training = on
  }

  setEnabled(on: boolean): void {
    this.#enabled = on
  }

  release(): void {
    this.#saved?.release()
    this.#saved = null
    this.#rows.release()
  }
}

const layout = (rows: RowSource) =>
  rows
    .tensors()
    .map(({ name, parameter }) => `${name} ${parameter.shape.join()}`)
    .join('\n')
