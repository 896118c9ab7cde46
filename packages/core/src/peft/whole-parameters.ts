import { asFloat, empty, keep, Parameter, type Tensor } from '@ift/tensor'

/**
 * Parameters of the model itself that are trained. Switched off, each holds the value that it had, frozen, and what was trained (value,
 * master and gradient) waits in a parameter of its own: another method may train the same parameter meanwhile.
 */
export class WholeParameters {
  /** What is not in use, by the parameter of the model: the value of the base, or what was trained. */
  readonly #others = new Map<Parameter, Parameter>()
  #enabled = true

  /** `parameters` are not trained yet. A value that lies in a file is not copied here: training copies it. */
  constructor(parameters: Iterable<Parameter>) {
    for (const parameter of new Set(parameters)) {
      const { value } = parameter
      const base = new Parameter(parameter.shape)
      base.assign(value.alias())
      if (!value.storage.readOnly) parameter.assign(copy(value))
      this.#others.set(parameter, base)
    }
  }

  has(parameter: Parameter): boolean {
    return this.#others.has(parameter)
  }

  /** Where the trained values of a parameter are now; the parameter itself when it is none of these. */
  trained(parameter: Parameter): Parameter {
    return this.#enabled ? parameter : (this.#others.get(parameter) ?? parameter)
  }

  setEnabled(on: boolean): void {
    if (on === this.#enabled) return
    this.#enabled = on
    for (const [parameter, other] of this.#others) parameter.exchange(other)
  }

  release(): void {
    for (const other of this.#others.values()) other.release()
    this.#others.clear()
  }
}

function copy(value: Tensor): Tensor {
  const { backend, size } = value
  const made = keep(empty(backend, value.shape, value.dtype))
  backend.copy2d(made.buf, 0, size, value.buf, 0, size, 1, size, asFloat(value.dtype, 'WholeParameters'), 0)
  return made
}
