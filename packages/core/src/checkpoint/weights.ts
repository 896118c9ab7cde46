import { createHash } from 'node:crypto'
import {
  full,
  IftError,
  isBlockFormat,
  QuantizedParameter,
  random,
  TiedLinear,
  type Backend,
  type BlockFormat,
  type CausalLM,
  type FloatDType,
  type Parameter,
} from '@ift/tensor'
import { suggest } from '../suggest.js'
import type { ModelDefinition } from '../contract/model.js'
import { deviceType, isFloat } from './numbers.js'
import { unsupported } from '../files/errors.js'
import { ggufConfig, mapGguf } from './gguf/index.js'
import { blockFormatOf, loadBlocks, loadStored, transposed } from './stored.js'
import type { WeightSource } from './weight-source.js'

export interface LoadOptions {
  readonly backend: Backend
  readonly dtype: FloatDType
}

/** Tables that old checkpoints hold although they follow from the config. */
const derived = /(^|\.)(rotary_emb\.inv_freq|masked_bias)$/

/** Path of the head's own parameter when it is tied and so has none; such a tensor in a file repeats the embedding. */
function tiedHead(model: CausalLM): string | null {
  if (!(model.lmHead instanceof TiedLinear)) return null
  for (const [path, module] of model.namedModules()) if (module === model.lmHead) return `${path}.weight`
  return null
}

const show = (shape: readonly number[]) => `[${shape.join(', ')}]`
const list = (names: readonly string[]) =>
  names.slice(0, 5).join(', ') + (names.length > 5 ? ` and ${names.length - 5} more` : '')

/** Format of each parameter, by its path, that a GGUF file with the family's names has in blocks of `formats`. */
export function blocksIn<C>(
  source: WeightSource,
  definition: ModelDefinition<C>,
  config: C,
  formats: readonly BlockFormat[],
): ReadonlyMap<string, BlockFormat> {
  const found = new Map<string, BlockFormat>()
  if (source.format !== 'gguf') return found
  for (const [name, tensor] of source.tensors) {
    const path = definition.mapWeight === undefined ? name : definition.mapWeight(name, config)
    const format = blockFormatOf(tensor)
    if (path !== null && format !== null && formats.includes(format)) found.set(path, format)
  }
  return found
}

/**
 * Assigns every parameter of `model` from `source`. Names, shapes and types are all compared before anything is loaded:
 * `IFT_WEIGHTS_MISSING`, `_UNEXPECTED`, `_SHAPE` and `_DTYPE` name file and tensor, what was expected and what was found. One tensor is
 * on its way at a time; weights in the wanted type stay in the file and are mapped, blocks of GGUF files for layers that hold them
 * likewise, and those of other layers made by `quantizeLinears` are quantised from there. Returns which tensor each parameter came
 * from, for `saveModel` to keep the names.
 */
export async function loadWeights<C>(
  model: CausalLM,
  definition: ModelDefinition<C>,
  config: C,
  from: WeightSource,
  { backend, dtype }: LoadOptions,
): Promise<ReadonlyMap<string, string>> {
  const source = from.format === 'gguf' ? await mapped(from, definition) : from
  const parameters = new Map(model.namedParameters())
  const tied = tiedHead(model)
  const places = new Map<string, string>()
  const unexpected: string[] = []
  for (const name of source.names()) {
    const path = definition.mapWeight === undefined ? name : definition.mapWeight(name, config)
    if (path === null) continue
    if (parameters.has(path)) {
      const other = places.get(path)
      if (other !== undefined) {
        throw new IftError(
          'IFT_WEIGHTS_UNEXPECTED',
          `${source.path}: tensors ${other} and ${name} both are the parameter ${path}.`,
        )
      }
      places.set(path, name)
    } else if (path !== tied && !derived.test(path)) unexpected.push(name)
  }
  const missing = [...parameters.keys()].filter((path) => !places.has(path))
  if (missing.length > 0) {
    const near = suggest(missing[0]!, unexpected)
    const config = tied === null && missing.every((path) => path === 'lm_head.weight')
    throw new IftError(
      'IFT_WEIGHTS_MISSING',
      `${source.path} lacks ${missing.length} of ${parameters.size} tensors: ${list(missing)}.`,
      near !== null
        ? `Did you mean its tensor ${near}? Check that the model plugin ${definition.name} fits this checkpoint.`
        : config
          ? 'If the head is the embedding, config.json must say "tie_word_embeddings": true.'
          : `Check that config.json belongs to it and that the model plugin ${definition.name} fits.`,
    )
  }
  if (unexpected.length > 0) {
    const near = suggest(unexpected[0]!, parameters.keys())
    throw new IftError(
      'IFT_WEIGHTS_UNEXPECTED',
      `${source.path} holds ${unexpected.length} tensors that the model ${definition.name} has no place for: ` +
        `${list(unexpected)}.`,
      near === null
        ? 'Check that config.json belongs to it.'
        : `The nearest parameter is ${near}. Check that config.json belongs to it.`,
    )
  }
  const isTurned = (path: string) => source.format !== 'gguf' && definition.transposed?.(path) === true
  for (const [path, parameter] of parameters) {
    const name = places.get(path)!
    const { file, shape, dtype: stored } = source.info(name)
    if (!isFloat(stored)) {
      throw new IftError(
        'IFT_WEIGHTS_DTYPE',
        `${file}: tensor ${name} expected floating-point numbers, found ${stored}.`,
        'Quantised checkpoints must be converted to F32, F16 or BF16 first.',
      )
    }
    const expected = isTurned(path) ? parameter.shape.toReversed() : parameter.shape
    if (shape.length !== expected.length || shape.some((d, i) => d !== expected[i])) {
      throw new IftError(
        'IFT_WEIGHTS_SHAPE',
        `${file}: tensor ${name} expected ${show(expected)}, found ${show(shape)}.`,
        'Check that config.json belongs to it.',
      )
    }
  }
  await assignAll(parameters, (path, parameter) => {
    const stored = source.info(places.get(path)!)
    if (parameter instanceof QuantizedParameter && isBlockFormat(parameter.format)) {
      const format = blockFormatOf(stored)
      if (format === parameter.format) return loadBlocks(stored, backend)
      throw new IftError(
        'IFT_WEIGHTS_DTYPE',
        `${stored.file}: tensor ${places.get(path)!} expected blocks of ${parameter.format}, found ${stored.dtype}.`,
        'Load the model with quantize: none.',
      )
    }
    // Weights are quantised from the numbers of the file, not from rounded ones.
    const wanted = parameter instanceof QuantizedParameter ? (deviceType(stored.dtype) ?? 'f32') : dtype
    return loadStored(isTurned(path) ? transposed(stored) : stored, backend, wanted)
  })
  return places
}

async function mapped(source: WeightSource, { name, gguf }: ModelDefinition): Promise<WeightSource> {
  if (source.isMapped) return source
  if (gguf !== undefined) return mapGguf(source, gguf, await ggufConfig(source, gguf))
  throw unsupported(
    source.path,
    `the model plugin ${name} reads no GGUF files`,
    "Use the model's safetensors checkpoint.",
  )
}

/** Assigns every parameter, or none. */
async function assignAll(
  parameters: ReadonlyMap<string, Parameter>,
  make: (path: string, parameter: Parameter) => Promise<Parameter['value']>,
): Promise<void> {
  const assigned: Parameter[] = []
  try {
    for (const [path, parameter] of parameters) {
      parameter.assign(await make(path, parameter))
      assigned.push(parameter)
    }
  } catch (error) {
    for (const parameter of assigned) parameter.release()
    throw error
  }
}

/**
 * Starts every parameter as the definition says, for training from scratch. A parameter's numbers depend on the seed and on
 * its path alone, not on the order, the device or the other parameters.
 */
export async function initializeWeights<C>(
  model: CausalLM,
  definition: ModelDefinition<C>,
  config: C,
  { backend, dtype, seed }: LoadOptions & { readonly seed: number },
): Promise<void> {
  const parameters = new Map(model.namedParameters())
  await assignAll(parameters, (path, { shape }) => {
    const start = definition.initialize(path, config)
    if (start.kind === 'constant') return Promise.resolve(full(backend, shape, start.value, dtype))
    const stream = createHash('sha256').update(path).digest().readUInt32LE()
    const values = random(backend, shape, 'normal', { seed, stream })
    backend.axpby(values.buf, start.std, values.buf, 0, values.buf, values.size, 'f32')
    if (dtype === 'f32') return Promise.resolve(values)
    const rounded = full(backend, shape, 0, dtype)
    backend.cast(rounded.buf, values.buf, values.size, dtype, 'f32')
    values.release()
    return Promise.resolve(rounded)
  })
  await backend.synchronize()
}
