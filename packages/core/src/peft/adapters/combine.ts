import { IftError, tensor, type Backend, type Tensor } from '@ift/tensor'
import type {
  AdapterFiles,
  AdapterSource,
  AdapterValues,
  CombineOptions,
  PeftMethod,
  WeightedAdapter,
} from '../../contract/index.js'

/** An adapter that lies in memory, to be loaded like one of a file. */
export class MemoryAdapter implements AdapterSource {
  /** `path` is what errors name. */
  constructor(
    readonly path: string,
    readonly adapter: AdapterValues,
  ) {}

  get config(): AdapterValues['config'] {
    return this.adapter.config
  }

  names(): Iterable<string> {
    return this.adapter.tensors.keys()
  }

  shape(name: string): readonly number[] {
    return this.#tensor(name).shape
  }

  read(name: string): Promise<Float32Array> {
    return Promise.resolve(this.#tensor(name).values)
  }

  /** As files to be written; the caller releases the tensors. */
  files(backend: Backend): AdapterFiles {
    const tensors = new Map<string, Tensor>()
    for (const [name, { shape, values }] of this.adapter.tensors)
      tensors.set(name, tensor(backend, values, shape, 'f32'))
    return { config: this.config, tensors }
  }

  #tensor(name: string) {
    const found = this.adapter.tensors.get(name)
    if (found) return found
    throw new IftError('IFT_ADAPTER_MISSING', `${this.path}: tensor "${name}" is missing.`)
  }
}

/**
 * Adapters of one method added up with weights: the update of the result is the sum of theirs. IFT_ADAPTER_COMBINE for a method that
 * has no such form, and for adapters or weights that do not fit.
 */
export async function combineAdapters(
  method: PeftMethod,
  adapters: readonly WeightedAdapter[],
  options: CombineOptions,
): Promise<MemoryAdapter> {
  const refuse = (message: string, hint: string) => new IftError('IFT_ADAPTER_COMBINE', message, hint)
  const names = adapters.map(({ name }) => name).join(', ')
  if (adapters.length === 0) throw refuse('No adapters are named to be added up.', 'Name them with weights.')
  for (const { name, weight } of adapters)
    if (!Number.isFinite(weight))
      throw refuse(
        `The weight of adapter "${name}" is ${weight}.`,
        'Give a number; a negative one subtracts.',
      )
  const { rank } = options
  if (rank !== undefined && !(Number.isInteger(rank) && rank > 0))
    throw refuse(
      `The rank of a sum is a whole number above 0, found ${rank}.`,
      'Leave it out for the largest one.',
    )
  if (rank !== undefined && options.combination !== 'svd')
    throw refuse(
      `A rank is for svd; ${options.combination} has that of its adapters.`,
      'Leave it out, or take svd.',
    )
  if (!method.combine)
    throw refuse(
      `Adapters of ${method.name} (${names}) cannot be added up: their sum is no adapter of ${method.name}.`,
      'Use them one at a time, or each for its rows.',
    )
  return new MemoryAdapter(`sum of ${names}`, await method.combine(adapters, options))
}
