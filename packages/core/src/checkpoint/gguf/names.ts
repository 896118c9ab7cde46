import type { GgufModule } from '../../contract/gguf.js'

/** Where a tensor of a file belongs. */
export interface GgufPlace {
  /** Path of the parameter. */
  readonly path: string
  readonly module: GgufModule
  /** Which of the module's names it has. */
  readonly part: number
}

const suffix = /^(.*)\.(weight|bias)$/

/** Replaces the number of a layer by `*`, where there is one. */
const generic = (name: string): readonly [name: string, layer: string | null] => {
  const [, before, layer, after] = /^(.*?\.)(0|[1-9]\d{0,8})(\..*)$/.exec(name) ?? []
  return layer === undefined ? [name, null] : [`${before!}*${after!}`, layer]
}

const specific = (name: string, layer: string | null): string =>
  layer === null ? name : name.replace('*', layer)

/** Names of files and paths of parameters, each by the other. */
export class GgufNames {
  readonly #byName = new Map<string, readonly [module: GgufModule, part: number]>()
  readonly #byPath = new Map<string, GgufModule>()

  constructor(modules: readonly GgufModule[]) {
    for (const module of modules) {
      this.#byPath.set(module.module, module)
      for (const [part, name] of module.names.entries()) this.#byName.set(name, [module, part])
    }
  }

  /** The place of a tensor of a file; null for one that no module has. */
  placeOf(tensor: string): GgufPlace | null {
    const [, name, kind] = suffix.exec(tensor) ?? []
    if (name === undefined) return null
    const [pattern, layer] = generic(name)
    const found = this.#byName.get(pattern)
    if (found === undefined) return null
    const [module, part] = found
    return { path: `${specific(module.module, layer)}.${kind!}`, module, part }
  }

  /** Names in a file of the tensors that a parameter is made of; null for one that has no place in a file. */
  namesOf(path: string): { readonly names: readonly string[]; readonly module: GgufModule } | null {
    const [, own, kind] = suffix.exec(path) ?? []
    if (own === undefined) return null
    const [pattern, layer] = generic(own)
    const module = this.#byPath.get(pattern)
    if (module === undefined) return null
    return { names: module.names.map((name) => `${specific(name, layer)}.${kind!}`), module }
  }
}

/**
 * The values that a file has of a parameter, for each of the module's names: the rows in the file's order, with what it adds. `values`
 * are of a parameter with so many rows.
 */
export function toGgufValues(
  { names, rows, added, unit }: GgufModule,
  values: Float32Array,
  rowCount: number,
): Float32Array[] {
  const cols = values.length / rowCount
  const moved = new Float32Array(values.length)
  const order = rows?.order()
  if (unit === true) values = unitRows(values, cols)
  for (let row = 0; row < rowCount; row++)
    moved.set(values.subarray(row * cols, (row + 1) * cols), (order?.[row] ?? row) * cols)
  if (added !== undefined) for (let i = 0; i < moved.length; i++) moved[i] = moved[i]! + added
  let at = 0
  return names.map((_, part) => {
    const size = (rows === undefined ? rowCount : rows.counts[part]!) * cols
    at += size
    return moved.subarray(at - size, at)
  })
}

/** Rows with length 1; one of zeros stays as it is. */
export function unitRows(values: Float32Array, cols: number): Float32Array {
  const scaled = new Float32Array(values.length)
  for (let from = 0; from < values.length; from += cols) {
    let squares = 0
    for (let i = from; i < from + cols; i++) squares += values[i]! ** 2
    const length = Math.sqrt(squares) || 1
    for (let i = from; i < from + cols; i++) scaled[i] = values[i]! / length
  }
  return scaled
}
