import { IftError } from '../errors.js'
import { abandon, enter } from '../tensor/lifetime.js'
import { leaveWith } from '../tensor/scope.js'
import type { Tensor } from '../tensor/tensor.js'
import { Parameter } from './parameter.js'

/** A module where it stands in its parent: `parent[key]`, or `parent[field][key]` for a member of a list. */
export interface Child {
  /** `self_attn`, or `layers.0`. */
  readonly name: string
  readonly module: Module
  replace(by: Module): void
}

/** Calls in progress, and the modules that an error has passed so far, innermost first. */
let callDepth = 0
let passed: Module[] = []

/**
 * A part of a model: its fields are parameters, modules and lists of modules, under the names that checkpoints use.
 * A subclass writes `forward`; users `call` it, which frees everything that forward made and did not return.
 */
export abstract class Module<A extends unknown[] = never[], R = unknown> {
  protected abstract forward(...args: A): R

  /** Runs `forward` in a scope of its own. An error gets the path of the module it happened in. */
  call(...args: A): R {
    const start = enter()
    callDepth++
    let result: R
    try {
      result = this.forward(...args)
    } catch (error) {
      callDepth--
      abandon(start)
      throw this.#located(error)
    }
    callDepth--
    leaveWith(start, result)
    return result
  }

  /** Own parameters and those of modules below, in order of declaration: `layers.0.mlp.gate_proj.weight`. */
  *namedParameters(prefix = ''): IterableIterator<[path: string, parameter: Parameter]> {
    for (const [name, value] of Object.entries(this)) {
      if (value instanceof Parameter) yield [join(prefix, name), value]
      else
        for (const child of membersOf(this, name, value))
          yield* child.module.namedParameters(join(prefix, child.name))
    }
  }

  /** Modules below, each before those below it: `layers.0.mlp.gate_proj`. */
  *namedModules(prefix = ''): IterableIterator<[path: string, module: Module]> {
    for (const child of this.children()) {
      const path = join(prefix, child.name)
      yield [path, child.module]
      yield* child.module.namedModules(path)
    }
  }

  /** Modules directly below, in order of declaration. */
  *children(): IterableIterator<Child> {
    for (const [name, value] of Object.entries(this)) yield* membersOf(this, name, value)
  }

  /** Releases every parameter below. */
  release(): void {
    for (const [, parameter] of this.namedParameters()) parameter.release()
  }

  /** @internal The module that this one wraps without showing in any path. */
  get transparent(): Module | undefined {
    return undefined
  }

  /** @internal Puts `by` in the place of `transparent`. */
  replaceTransparent(_by: Module): void {
    throw new IftError('IFT_INTERNAL', `${this.constructor.name} wraps no module`)
  }

  #located(error: unknown): unknown {
    if (!(error instanceof IftError)) {
      passed = []
      return error
    }
    passed.push(this)
    if (callDepth > 0) return error
    const path = pathOf(passed)
    passed = []
    return new IftError(error.code, `${error.message} (in ${path})`, error.hint, {
      cause: error.cause ?? error,
    })
  }
}

/** A module that stands in for a linear layer: y = x Wᵀ, plus addTo when given. x [N, inFeatures] -> [N, outFeatures]. */
export interface LinearLike extends Module<[x: Tensor, addTo?: Tensor], Tensor> {
  readonly inFeatures: number
  readonly outFeatures: number
}

const join = (prefix: string, name: string) => (prefix === '' ? name : `${prefix}.${name}`)

function* membersOf(parent: object, name: string, value: unknown): IterableIterator<Child> {
  if (value instanceof Module) yield childOf(parent, name, name, value as Module)
  else if (Array.isArray(value)) {
    for (const [i, member] of value.entries()) {
      if (member instanceof Module) yield childOf(value, String(i), `${name}.${i}`, member as Module)
    }
  }
}

const childOf = (holder: object, key: string, name: string, module: Module): Child => ({
  name,
  module: module.transparent ?? module,
  replace: (by) => {
    if (module.transparent !== undefined) module.replaceTransparent(by)
    else Reflect.set(holder, key, by)
  },
})

/** Path of the innermost of `chain` (innermost first) as seen from the outermost. */
function pathOf(chain: readonly Module[]): string {
  const root = chain[chain.length - 1]!
  const names: string[] = []
  let parent = root
  for (let i = chain.length - 2; i >= 0; i--) {
    const module = chain[i]!
    for (const [path, below] of parent.namedModules()) {
      if (below !== module) continue
      names.push(path)
      parent = module
      break
    }
  }
  return names.length === 0 ? root.constructor.name : names.join('.')
}
