import { collectTensors } from '../tensor/scope.js'
import { recompute } from '../tensor/recompute.js'
import { Tensor } from '../tensor/tensor.js'
import { IftError } from '../errors.js'
import { Module, type Child } from './module.js'
import type { Parameter } from './parameter.js'
import { replaceModules } from './replace-modules.js'

/**
 * Runs a module without keeping its activations and once more in the backward pass (`recompute`). It shows in no path:
 * parameters and modules below keep their names. The wrapped module takes a tensor first and returns one; tensors among
 * the other arguments, also inside arrays and plain objects, are kept alive for the second run.
 */
export class Recompute extends Module<unknown[]> {
  #inner: Module

  constructor(inner: Module) {
    super()
    this.#inner = inner
  }

  override get transparent(): Module {
    return this.#inner.transparent ?? this.#inner
  }

  override replaceTransparent(by: Module): void {
    if (this.#inner.transparent === undefined) this.#inner = by
    else this.#inner.replaceTransparent(by)
  }

  override namedParameters(prefix = ''): IterableIterator<[path: string, parameter: Parameter]> {
    return this.#inner.namedParameters(prefix)
  }

  override namedModules(prefix = ''): IterableIterator<[path: string, module: Module]> {
    return this.#inner.namedModules(prefix)
  }

  override children(): IterableIterator<Child> {
    return this.#inner.children()
  }

  protected forward(x: unknown, ...rest: unknown[]): Tensor {
    const inner = this.#inner as Module<unknown[]>
    if (!(x instanceof Tensor)) {
      throw new IftError(
        'IFT_RECOMPUTE',
        `recompute: the first argument of ${inner.constructor.name} is not a tensor`,
      )
    }
    const others = new Set<Tensor>()
    collectTensors(rest, others)
    const run = (again: Tensor): Tensor => {
      const y = inner.call(again, ...rest)
      if (y instanceof Tensor) return y
      throw new IftError('IFT_RECOMPUTE', `recompute: ${inner.constructor.name} does not return one tensor`)
    }
    return recompute(run, x, others)
  }
}

/** Wraps every module below `root` that matches in `Recompute`, and gives their paths. */
export const recomputeModules = (root: Module, match: (path: string, module: Module) => boolean): string[] =>
  replaceModules(root, match, (module) => new Recompute(module))
