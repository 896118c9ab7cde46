import { IftError } from '@ift/tensor'
import type { GgufFacts, GgufMapping, GgufModule } from '../../contract/gguf.js'
import { corrupt, unsupported } from '../../files/errors.js'
import { isFloat } from '../numbers.js'
import { sizeOf, type StoredTensor } from '../stored.js'
import { WeightSource } from '../weight-source.js'
import { GgufNames } from './names.js'

/** Values of a table that a config is made from: half the dimensions of a head. */
const mostTableValues = 1 << 16

async function factsOf(source: WeightSource, mapping: GgufMapping): Promise<GgufFacts> {
  const tables = new Map<string, Float32Array>()
  for (const name of mapping.tables ?? []) {
    const tensor = source.tensors.get(name)
    if (tensor === undefined) continue
    if (sizeOf(tensor.shape) > mostTableValues)
      throw corrupt(
        source.path,
        `tensor ${name} would have ${sizeOf(tensor.shape)} values, more than ${mostTableValues}`,
      )
    tables.set(name, await source.read(name))
  }
  const shapes = new Map([...source.tensors].map(([name, { shape }]) => [name, shape]))
  return { metadata: source.metadata, shapes, tables }
}

/** config.json of the model that a GGUF file describes. */
export async function ggufConfig(
  source: WeightSource,
  mapping: GgufMapping,
): Promise<Record<string, unknown>> {
  const architecture = source.metadata.get('general.architecture')
  if (typeof architecture !== 'string' || !mapping.architectures.includes(architecture)) {
    throw unsupported(
      source.path,
      `its architecture is ${JSON.stringify(architecture)}, expected ${mapping.architectures.map((name) => JSON.stringify(name)).join(' or ')}`,
      'Name the model plugin of this architecture.',
    )
  }
  // Files without an output matrix use that of the embedding.
  const tied = !source.has('output.weight')
  const facts = await factsOf(source, mapping)
  try {
    return { tie_word_embeddings: tied, ...mapping.config(facts) }
  } catch (cause) {
    if (!(cause instanceof IftError)) throw cause
    throw new IftError(cause.code, `${source.path}: ${cause.message}`, cause.hint, { cause })
  }
}

/**
 * generation_config.json of the model in a GGUF file, which has a token for the end of a turn beside that for the end of a text;
 * undefined where it has one for both.
 */
export function ggufGeneration({
  metadata,
}: Pick<WeightSource, 'metadata'>): Record<string, unknown> | undefined {
  const ids = ['eos', 'eot', 'eom']
    .map((name) => metadata.get(`tokenizer.ggml.${name}_token_id`))
    .filter((id) => typeof id === 'number')
  const distinct = [...new Set(ids)]
  return distinct.length > 1 ? { eos_token_id: distinct } : undefined
}

const shown = ({ shape }: StoredTensor) => `[${shape.join(', ')}]`

/** The tensor of a module from those of the file. */
function joined(
  path: string,
  { names, rows, added }: GgufModule,
  parts: readonly (StoredTensor | undefined)[],
): StoredTensor {
  const missing = parts.indexOf(undefined)
  if (missing >= 0)
    throw new IftError(
      'IFT_WEIGHTS_MISSING',
      `${path} lacks ${names[missing]!.replace('*', 'N')}, beside ${names.filter((_, part) => parts[part] !== undefined).join(' and ')}.`,
      'Its parts are read together. Convert the model again.',
    )
  const of = parts as readonly StoredTensor[]
  const [first] = of
  const width = first!.shape.slice(1).join()
  for (const [part, tensor] of of.entries()) {
    const wanted = rows?.counts[part]
    if (tensor.shape.slice(1).join() !== width || (wanted !== undefined && tensor.shape[0] !== wanted))
      throw new IftError(
        'IFT_WEIGHTS_SHAPE',
        `${path}: tensor ${names[part]!.replace('*', 'N')} expected [${[wanted ?? tensor.shape[0], ...first!.shape.slice(1)].join(', ')}], found ${shown(tensor)}.`,
        'Its metadata belong to another model. Download it again.',
      )
    if (of.length > 1 && !isFloat(tensor.dtype))
      throw new IftError(
        'IFT_WEIGHTS_DTYPE',
        `${path}: tensor ${names[part]!.replace('*', 'N')} expected floating-point numbers, found ${tensor.dtype}.`,
      )
  }
  const shift = added === undefined ? {} : { added }
  if (rows === undefined && of.length === 1) return { ...first!, ...shift }
  const same = of.every(({ dtype }) => dtype === first!.dtype)
  return {
    ...first!,
    dtype: same ? first!.dtype : 'F32',
    shape: [of.reduce((sum, { shape }) => sum + shape[0]!, 0), ...first!.shape.slice(1)],
    rows: { of, order: rows?.order() ?? null },
    ...shift,
  }
}

/**
 * The tensors of a GGUF file under the names and in the row order of a family's own checkpoints; `config` is what `ggufConfig` gave.
 * A source that was mapped is given back as it is.
 */
export function mapGguf(
  source: WeightSource,
  mapping: GgufMapping,
  config: Readonly<Record<string, unknown>>,
): WeightSource {
  if (source.isMapped) return source
  const names = new GgufNames(mapping.modules(config))
  const made = new Map<
    string,
    { readonly module: GgufModule; readonly parts: (StoredTensor | undefined)[] }
  >()
  for (const [name, tensor] of source.tensors) {
    if (mapping.tables?.includes(name) === true) continue
    const place = names.placeOf(name)
    // One that no module has stays what it is, and is named where the weights are loaded.
    const module = place?.module ?? { module: name, names: [name] }
    const path = place?.path ?? name
    const known = made.get(path)
    const parts = known?.parts ?? module.names.map(() => undefined)
    const part = place?.part ?? 0
    if (parts[part] !== undefined) throw corrupt(source.path, `two tensors are ${path}`)
    parts[part] = tensor
    if (known === undefined) made.set(path, { module, parts })
  }
  const tensors = new Map<string, StoredTensor>()
  for (const [path, { module, parts }] of made) tensors.set(path, joined(source.path, module, parts))
  return new WeightSource(source.path, source.format, tensors, source.metadata, true)
}
