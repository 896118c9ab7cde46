import { keep, QuantizedParameter, type Module, type Parameter, type Tensor } from '@ift/tensor'

/**
 * The parameters of a base with the values that they have, held while a method is attached. All are frozen meanwhile: what has been
 * trained of them is set aside, because attaching a method freezes the model, which would free the f32 masters.
 */
export class BaseWeights {
  readonly #paths = new Map<Parameter, string>()
  readonly #values = new Map<Parameter, { readonly held: Tensor | null; readonly before: unknown }>()
  readonly #aside = new Map<Parameter, Parameter>()

  constructor(model: Module) {
    for (const [path, parameter] of model.namedParameters()) {
      if (this.#paths.has(parameter) || !parameter.isAssigned) continue
      this.#paths.set(parameter, path)
      if (parameter.trainable) this.#aside.set(parameter, parameter.setAside())
      const quantized = parameter instanceof QuantizedParameter
      const held = quantized ? null : keep(parameter.value.alias())
      this.#values.set(parameter, { held, before: parameter.operand })
    }
  }

  /** Undefined for a parameter that is not the base's. */
  pathOf(parameter: Parameter): string | undefined {
    return this.#paths.get(parameter)
  }

  /**
   * Freezes all parameters and gives those that were assigned other tensors their own back; paths of those whose numbers had changed.
   * A method that is kept and trains some of them is switched off before, and those are left alone: it restores them.
   */
  async restore({ kept }: { readonly kept: boolean }): Promise<string[]> {
    const changed: string[] = []
    for (const [parameter, { held, before }] of this.#values) {
      if (parameter.trainable && kept) continue
      parameter.setTrainable(false)
      if (parameter.isAssigned && parameter.operand === before) continue
      const path = this.#paths.get(parameter)!
      // Codes that were written over are gone.
      if (held === null || !parameter.isAssigned || !(await sameValues(parameter.value, held)))
        changed.push(path)
      if (held !== null) parameter.assign(held.alias())
    }
    return changed
  }

  release(): void {
    for (const { held } of this.#values.values()) held?.release()
    this.#values.clear()
    for (const [parameter, trained] of this.#aside) {
      parameter.exchange(trained)
      trained.release()
    }
    this.#aside.clear()
  }
}

async function sameValues(a: Tensor, b: Tensor): Promise<boolean> {
  if (a.dtype !== b.dtype) return false
  if (a.storage === b.storage) return true
  const [left, right] = [await a.readBytes(), await b.readBytes()]
  return Buffer.compare(left, right) === 0
}
