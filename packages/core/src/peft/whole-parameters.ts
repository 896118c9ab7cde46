import { asFloat, empty, keep, type Parameter, type Tensor } from '@ift/tensor'

/**
 * Parameters of the model itself that are trained, with the values that they had: switched off, the model computes with these. A
 * value that lies in a file is not copied.
 */
export class WholeParameters {
  readonly #originals = new Map<Parameter, Tensor>()
  /** Trained values in the type of the model, while the originals are in their place. */
  #trained: Map<Parameter, Tensor> | null = null

  constructor(readonly byName: ReadonlyMap<string, Parameter>) {
    for (const parameter of new Set(byName.values()))
      this.#originals.set(parameter, keep(original(parameter.value)))
  }

  setEnabled(on: boolean): void {
    if (on === (this.#trained === null)) return
    if (on) {
      for (const [parameter, trained] of this.#trained!) {
        write(parameter.value, trained)
        trained.release()
      }
      this.#trained = null
      return
    }
    this.#trained = new Map()
    for (const [parameter, before] of this.#originals) {
      this.#trained.set(parameter, keep(copy(parameter.value)))
      write(parameter.value, before)
    }
  }

  release(): void {
    for (const held of [...this.#originals.values(), ...(this.#trained?.values() ?? [])]) held.release()
    this.#originals.clear()
    this.#trained = null
  }
}

const original = (value: Tensor): Tensor => (value.storage.readOnly ? value.alias() : copy(value))

function copy(value: Tensor): Tensor {
  const made = empty(value.backend, value.shape, value.dtype)
  write(made, value)
  return made
}

function write(to: Tensor, from: Tensor): void {
  const { backend, size } = from
  backend.copy2d(to.buf, 0, size, from.buf, 0, size, 1, size, asFloat(from.dtype, 'setEnabled'), 0)
}
