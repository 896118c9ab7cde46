import { asFloat, empty, keep, Parameter, scope, type Tensor } from '@ift/tensor'

/**
 * Parameters of the model itself that are trained. Switched off, each holds the value that it had, frozen, and what was trained (value,
 * master and gradient) waits in a parameter of its own: another method may train the same parameter meanwhile.
 */
export class WholeParameters {
  /** What is not in use, by the parameter of the model: the value of the base, or what was trained. */
  readonly #others = new Map<Parameter, Parameter>()
  #enabled = true

  /**
   * `parameters` are not trained yet. A value that lies in a file is not copied here: training copies it. Throws IFT_QUANTIZED for one
   * that is held in few bits; after an error they are as before.
   */
  constructor(parameters: Iterable<Parameter>) {
    try {
      for (const parameter of new Set(parameters)) {
        const { value } = parameter
        const copied = value.storage.readOnly ? null : copy(value)
        const base = new Parameter(parameter.shape)
        base.assign(value.alias())
        if (copied !== null) parameter.assign(copied)
        this.#others.set(parameter, base)
      }
    } catch (error) {
      this.setEnabled(false)
      this.release()
      throw error
    }
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
  const dtype = asFloat(value.dtype, 'WholeParameters')
  return keep(
    scope(() => {
      const made = empty(backend, value.shape, dtype)
      backend.copy2d(made.buf, 0, size, value.buf, 0, size, 1, size, dtype, 0)
      return made
    }),
  )
}
