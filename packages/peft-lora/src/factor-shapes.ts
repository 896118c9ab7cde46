import { IftError, type WeightedAdapter } from '@ift/core'
import { isSavedWithBase, modulePrefix } from '@ift/core/peft'

/** Ends of the names of A and B. */
const ends = [
  ['lora_A.weight', 'lora_B.weight'],
  ['lora_embedding_A', 'lora_embedding_B'],
] as const

const baseEnd = '.base_layer.weight'

/** A [r, in] and B [out, r] of a layer, by their names in an adapter's file. */
export interface FactorShapes {
  /** Of the module. */
  readonly path: string
  readonly names: readonly [a: string, b: string]
  readonly r: number
  readonly input: number
  readonly out: number
}

/** `IFT_ADAPTER_COMBINE`, naming the adapter and its file. */
export const refusal = ({ name, source }: WeightedAdapter, what: string): IftError =>
  new IftError(
    'IFT_ADAPTER_COMBINE',
    `${source.path}: adapter "${name}" ${what}.`,
    'Leave it out of the sum.',
  )

/**
 * The layers of an adapter that is made of A and B alone, by what its file says of names and shapes: no values are read. Weights of the
 * base that PEFT writes beside an adapted embedding or head are passed over where they have the shape of that layer. Throws
 * IFT_ADAPTER_COMBINE for any other tensor, IFT_ADAPTER_MISSING for A without B or B without A, IFT_ADAPTER_SHAPE.
 */
export function factorShapes(adapter: WeightedAdapter): FactorShapes[] {
  const { source } = adapter
  const names = new Set(source.names())
  const found = new Map<string, FactorShapes>()
  const bases: string[] = []
  for (const name of names) {
    if (name.startsWith(modulePrefix) && name.endsWith(baseEnd)) {
      bases.push(name)
      continue
    }
    const kind = ends.find((pair) => pair.some((end) => name.endsWith(`.${end}`)))
    if (!kind || !name.startsWith(modulePrefix))
      throw refusal(adapter, `has "${name}", which is trained whole and cannot be added to others`)
    const own = kind.find((end) => name.endsWith(`.${end}`))!
    const path = name.slice(modulePrefix.length, -own.length - 1)
    const pair = [`${modulePrefix}${path}.${kind[0]}`, `${modulePrefix}${path}.${kind[1]}`] as const
    for (const one of pair) if (!names.has(one)) throw missing(adapter, one, name)
    const other = found.get(path)
    if (other && other.names[0] !== pair[0])
      throw refusal(adapter, `adapts "${path}" twice, with "${other.names[0]}" and "${pair[0]}"`)
    const [r, input] = matrix(adapter, pair[0], '[r, in]')
    const [out, inner] = matrix(adapter, pair[1], '[out, r]')
    if (r !== inner)
      throw refusal(
        adapter,
        `has rank ${r} in "${pair[0]}" and ${inner} in "${pair[1]}", which have to be equal`,
      )
    found.set(path, { path, names: pair, r, input, out })
  }
  for (const name of bases) checkBase(adapter, name, found)
  if (!found.size) throw refusal(adapter, 'has no layers: its file has neither lora_A nor lora_B')
  return [...found.values()]
}

function matrix({ source }: WeightedAdapter, name: string, expected: string): readonly [number, number] {
  const shape = source.shape(name)
  const [rows, cols] = shape
  if (shape.length === 2 && rows! > 0 && cols! > 0) return [rows!, cols!]
  throw wrongShape(source.path, name, expected, shape)
}

function checkBase(adapter: WeightedAdapter, name: string, layers: ReadonlyMap<string, FactorShapes>): void {
  const path = name.slice(modulePrefix.length, -baseEnd.length)
  const layer = layers.get(path)
  if (!layer || !isSavedWithBase(path))
    throw refusal(
      adapter,
      `has "${name}", a weight of the base, which PEFT writes beside an adapted embed_tokens or lm_head alone`,
    )
  const { source } = adapter
  const { names, input, out } = layer
  // A of an embedding is [r, tokens]; its table is [tokens, width].
  const expected = names[0].endsWith(ends[1][0]) ? [input, out] : [out, input]
  const shape = source.shape(name)
  if (shape.join() !== expected.join()) throw wrongShape(source.path, name, `[${expected.join(', ')}]`, shape)
}

const missing = ({ source }: WeightedAdapter, name: string, there: string): IftError =>
  new IftError(
    'IFT_ADAPTER_MISSING',
    `${source.path}: tensor "${name}" is missing, and "${there}" is there.`,
    'Save the adapter once more, or leave it out of the sum.',
  )

const wrongShape = (path: string, name: string, expected: string, shape: readonly number[]): IftError =>
  new IftError(
    'IFT_ADAPTER_SHAPE',
    `${path}: tensor "${name}" should be ${expected}, found [${shape.join(', ')}].`,
    'Save the adapter once more, or leave it out of the sum.',
  )
