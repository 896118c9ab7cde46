import { IftError, type CausalLM, type Parameter } from '@ift/tensor'
import type { GgufModule } from '../../contract/gguf.js'
import { decodeFloats } from '../numbers.js'
import { fromParameter } from '../save-model.js'
import { sizeOf } from '../stored.js'
import { GgufNames, toGgufValues, unitRows } from './names.js'

/** A tensor of a file with the values that a model has for it. */
export interface GgufTensorValues {
  readonly name: string
  /** Outermost first. */
  readonly shape: readonly number[]
  /** As f32, in whole rows, a few megabytes at a time where the rows lie as in the model. */
  values(): AsyncIterable<Float32Array>
}

/** Values of a parameter as f32, piece by piece. */
async function* valuesOf(path: string, parameter: Parameter): AsyncIterable<Float32Array> {
  for await (const piece of fromParameter(path, parameter, 'f32').bytes()) yield decodeFloats(piece, 'F32')
}

async function whole(path: string, parameter: Parameter): Promise<Float32Array> {
  const values = new Float32Array(sizeOf(parameter.shape))
  let at = 0
  for await (const piece of valuesOf(path, parameter)) {
    values.set(piece, at)
    at += piece.length
  }
  return values
}

/** The same values in pieces that end with a row. */
async function* inRows(pieces: AsyncIterable<Float32Array>, cols: number): AsyncIterable<Float32Array> {
  let rest: Float32Array = new Float32Array()
  for await (const piece of pieces) {
    let all = piece
    if (rest.length > 0) {
      all = new Float32Array(rest.length + piece.length)
      all.set(rest)
      all.set(piece, rest.length)
    }
    const end = all.length - (all.length % cols)
    if (end > 0) yield all.subarray(0, end)
    rest = all.slice(end)
  }
}

function partsOf(
  path: string,
  parameter: Parameter,
  { module, names }: { module: GgufModule; names: readonly string[] },
): GgufTensorValues[] {
  const { shape } = parameter
  const [rows = 1, ...inner] = shape
  const cols = sizeOf(inner)
  if (module.rows === undefined && module.names.length === 1) {
    const { added, unit } = module
    return [
      {
        name: names[0]!,
        shape,
        async *values() {
          for await (const piece of inRows(valuesOf(path, parameter), cols)) {
            const scaled = unit === true ? unitRows(piece, cols) : piece
            yield added === undefined ? scaled : scaled.map((value) => value + added)
          }
        },
      },
    ]
  }
  return names.map((name, part) => ({
    name,
    shape: [module.rows?.counts[part] ?? rows, ...inner],
    async *values() {
      yield toGgufValues(module, await whole(path, parameter), rows)[part]!
    },
  }))
}

/**
 * The tensors that a file has of a model, by the modules of its family's mapping. A tied head has none. IFT_EXPORT_UNSUPPORTED names a
 * parameter that no file has a place for.
 */
export function ggufTensors(model: CausalLM, modules: readonly GgufModule[]): GgufTensorValues[] {
  const names = new GgufNames(modules)
  return [...model.namedParameters()].flatMap(([path, parameter]) => {
    const place = names.namesOf(path)
    if (place === null)
      throw new IftError(
        'IFT_EXPORT_UNSUPPORTED',
        `${path} has no place in a GGUF file of this architecture.`,
        'Export the model in another format: npx ift export hf DIR',
      )
    return partsOf(path, parameter, place)
  })
}
