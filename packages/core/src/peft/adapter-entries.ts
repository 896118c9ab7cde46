import { IftError, type Parameter } from '@ift/tensor'
import type { AdapterSource, TrainableParameter } from '../contract/index.js'
import { suggest } from '../suggest.js'
import type { AdaptedLayer, AdapterTensor } from './adapted-layer.js'
import type { ModuleParts } from './module-handle.js'
import { modulePrefix, sharedPrefix } from './names.js'
import { tiedHead } from './tied.js'

/** PEFT with bias: all writes the biases of modules trained whole three times; the value trained has the plain name. */
const repeatedBias = /\.(?:original_module|modules_to_save)\.bias$/

/** PEFT before 0.7 gave the bias of an adapted layer the name it has without the adapter. */
const olderName = (name: string) => name.replace('.base_layer.bias', '.bias')

export const asItIs = (name: string): string => name

/** A tensor of the adapter under its name in the file. */
export interface Entry extends TrainableParameter {
  readonly trained: boolean
  readonly turned: boolean
  readonly fileShape: readonly number[]
}

/** What an adapter is, whether its tensors have values or not. */
type Declared = Pick<
  ModuleParts,
  'model' | 'context' | 'layers' | 'rows' | 'shared' | 'whole' | 'fileName' | 'source'
>

/** Layers of the method, and the tables of which rows are trained. */
export const layersOf = ({
  layers,
  rows,
}: Pick<ModuleParts, 'layers' | 'rows'>): ReadonlyMap<string, AdaptedLayer> =>
  new Map<string, AdaptedLayer>([...layers, ...rows])

/** All tensors of an adapter, in the order of its file. */
export function entriesOf(parts: Declared): Entry[] {
  const { shared, whole, fileName = asItIs } = parts
  const entry = (peftName: string, own: AdapterTensor): Entry => {
    const name = fileName(peftName)
    const { parameter, trained = true, lrScale = 1, decay = true, turned = false } = own
    const { shape } = parameter
    const fileShape = own.fileShape ?? (turned ? [shape[1]!, shape[0]!] : shape)
    return { name, parameter, trained, lrScale, decay, turned, fileShape }
  }
  return [
    ...shared.map((own) => entry(`${sharedPrefix}${own.name}`, own)),
    ...[...layersOf(parts)].flatMap(([path, layer]) =>
      layer.tensors().map((own) => entry(`${modulePrefix}${path}.${own.name}`, own)),
    ),
    ...[...whole].map(([name, parameter]): Entry => {
      const { shape } = parameter
      const decay = shape.length > 1
      const base = { parameter, trained: true, lrScale: 1, decay, turned: false, fileShape: shape }
      return { name: fileName(`${modulePrefix}${name}`), ...base }
    }),
  ]
}

/** The head's name for a table that is trained whole and stays tied; PEFT writes it under both names. */
export function trainedTied({
  model,
  whole,
}: Declared): { readonly name: string; readonly parameter: Parameter } | null {
  const tied = tiedHead(model)
  const parameter = tied && whole.get(`${tied.embeddingPath}.weight`)
  return tied && parameter ? { name: `${modulePrefix}${tied.path}.weight`, parameter } : null
}

/** Names under which the file has a trained parameter a second time. */
function repeatedNames(parts: Declared): Set<string> {
  const { fileName = asItIs } = parts
  const names = new Set<string>()
  const head = trainedTied(parts)
  if (head) names.add(head.name)
  for (const [path, { repeats }] of layersOf(parts))
    for (const name of repeats?.keys() ?? []) names.add(fileName(`${modulePrefix}${path}.${name}`))
  return names
}

type BaseEntry = Pick<Entry, 'parameter' | 'turned'>

/** Weights of the base by their names in an adapter's file, which PEFT loads into the base when it finds them there. */
function basesOf({ model, context, whole }: Declared): Map<string, BaseEntry> {
  const bases = new Map<string, BaseEntry>()
  // Not trainable while the adapter is switched off.
  const own = new Set(whole.values())
  for (const [path, parameter] of model.namedParameters()) {
    if (parameter.trainable || own.has(parameter)) continue
    const turned = context.definition.transposed?.(path.replace('.base_layer.', '.')) === true
    bases.set(`${modulePrefix}${path}`, { parameter, turned })
  }
  const tied = tiedHead(model)
  if (tied)
    bases.set(`${modulePrefix}${tied.path}.weight`, {
      parameter: tied.head.embedding.weight,
      turned: false,
    })
  return bases
}

/** A file that has the tensors of an adapter. */
interface CheckedFile {
  /** Under the names that the adapter gives its tensors. */
  readonly source: AdapterSource
  readonly names: ReadonlySet<string>
  /** Tensors of the adapter by their names in the file. A frozen one may be missing there. */
  readonly known: ReadonlyMap<string, Entry>
  readonly bases: ReadonlyMap<string, BaseEntry>
  readonly repeated: ReadonlySet<string>
}

/**
 * Compares names and shapes, and reads no values. Throws IFT_ADAPTER_UNEXPECTED, IFT_ADAPTER_MISSING and IFT_ADAPTER_SHAPE. Before tensors
 * are made it bounds their sizes, which come from adapter_config.json, by those of the file.
 */
export function checkedFile(parts: Declared, entries: readonly Entry[], given: AdapterSource): CheckedFile {
  const source = parts.source?.(given, new Set(entries.map(({ name }) => name))) ?? given
  const names = new Set(source.names())
  const known = new Map<string, Entry>()
  for (const entry of entries) {
    const older = olderName(entry.name)
    known.set(!names.has(entry.name) && names.has(older) ? older : entry.name, entry)
  }
  const bases = basesOf(parts)
  const repeated = repeatedNames(parts)
  for (const name of names)
    if (!known.has(name) && !bases.has(name) && !repeated.has(name) && !repeatedBias.test(name))
      throw unexpected(source, name, known.keys())
  for (const [name, { trained, fileShape }] of known)
    if (names.has(name)) checkShape(source, name, fileShape)
    else if (trained)
      throw new IftError(
        'IFT_ADAPTER_MISSING',
        `${source.path}: tensor "${name}" is missing.`,
        'Is it an adapter of this model?',
      )
  return { source, names, known, bases, repeated }
}

export const sameShape = (a: readonly number[], b: readonly number[]): boolean => a.join() === b.join()

export function checkShape(source: AdapterSource, name: string, expected: readonly number[]): void {
  const shape = source.shape(name)
  if (!sameShape(shape, expected))
    throw new IftError(
      'IFT_ADAPTER_SHAPE',
      `${source.path}: tensor "${name}" should be [${expected.join(', ')}], found [${shape.join(', ')}].`,
      'Give the options that the adapter was made with, or load it by adapter: alone.',
    )
}

const unexpected = (source: AdapterSource, name: string, known: Iterable<string>): IftError => {
  const near = suggest(name, known)
  return new IftError(
    'IFT_ADAPTER_UNEXPECTED',
    `${source.path}: tensor "${name}" belongs to no adapted layer of this model${near ? ` (near: "${near}")` : ''}.`,
    'Is it an adapter of this model family? Its target_modules decide which layers are adapted.',
  )
}
