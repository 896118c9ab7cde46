import {
  asFloat,
  Linear,
  Parameter,
  TiedLinear,
  zeros,
  type CausalLM,
  type Embedding,
  type Module,
} from '@ift/tensor'

/** A head that reads the table of the embedding, and the paths of both. */
export interface TiedHead {
  readonly path: string
  readonly head: TiedLinear
  readonly embeddingPath: string
}

/** Null where the head has weights of its own. */
export function tiedHead(model: CausalLM): TiedHead | null {
  const modules = [...model.namedModules()]
  for (const [path, head] of modules)
    if (head instanceof TiedLinear) {
      const isTable = (module: Module) => module === (head.embedding as Module)
      return { path, head, embeddingPath: modules.find(([, module]) => isTable(module))![0] }
    }
  return null
}

/** The table as a parameter of its own, with the same numbers; a table that lies in a file is not copied. */
export function ownTable({ weight }: Embedding): Parameter {
  const table = weight.value
  const own = new Parameter(weight.shape)
  if (table.storage.readOnly) {
    own.assign(table.alias())
    return own
  }
  const { backend, size } = table
  const dtype = asFloat(table.dtype, 'ownTable')
  const copy = zeros(backend, table.shape, dtype)
  backend.copy2d(copy.buf, 0, size, table.buf, 0, size, 1, size, dtype, 0)
  own.assign(copy)
  return own
}

/** A tied head as a linear layer over `weight`, which is the embedding's parameter or `ownTable`'s. */
export const untied = (head: TiedLinear, weight: Parameter): Linear =>
  new Linear(head.inFeatures, head.outFeatures, { weight })
