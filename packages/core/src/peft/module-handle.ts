import {
  Embedding,
  IftError,
  keep,
  noGrad,
  replaceModules,
  tensor,
  type CausalLM,
  type Module,
  type Parameter,
  type Tensor,
} from '@ift/tensor'
import type {
  AdapterFiles,
  AdapterSource,
  PeftContext,
  PeftHandle,
  TrainableParameter,
} from '../contract/index.js'
import { suggest } from '../suggest.js'
import type { AdaptedLayer, AdapterTensor } from './adapted-layer.js'
import { mergeLayer } from './merge-layer.js'
import { modulePrefix, sharedPrefix } from './names.js'
import type { ModuleOptions } from './options.js'
import type { TokenRowsLayer } from './place-token-rows.js'
import { ownTable, tiedHead, untied } from './tied.js'
import { WholeParameters } from './whole-parameters.js'

/** Layers whose frozen weights PEFT writes into the adapter when it adapts them. */
const savedWithBase = /(?:^|\.)(?:embed_tokens|lm_head)$/

/** PEFT with bias: all writes the biases of modules trained whole three times; the value trained has the plain name. */
const repeatedBias = /\.(?:original_module|modules_to_save)\.bias$/

/** PEFT before 0.7 gave the bias of an adapted layer the name it has without the adapter. */
const olderName = (name: string) => name.replace('.base_layer.bias', '.bias')

/** What a module method has put into a model. */
export interface ModuleParts<O extends ModuleOptions = ModuleOptions, L extends AdaptedLayer = AdaptedLayer> {
  readonly model: CausalLM
  readonly options: O
  readonly context: PeftContext
  /** By the path of the module. */
  readonly layers: ReadonlyMap<string, L>
  /** Tables of which rows are trained, by the path of the module. */
  readonly rows: ReadonlyMap<string, TokenRowsLayer>
  /** Tensors of the adapter that belong to no layer. */
  readonly shared: readonly AdapterTensor[]
  /** Parameters of the model that are trained, by their names in the adapter file without `base_model.model.`. */
  readonly whole: ReadonlyMap<string, Parameter>
  /** `ModuleMethod.fileName`; as it is when absent. */
  readonly fileName?: (name: string) => string
  /** The fields of adapter_config.json. */
  config(): Readonly<Record<string, unknown>>
}

/** A tensor of the adapter under its name in the file. */
interface Entry extends TrainableParameter {
  readonly trained: boolean
  readonly turned: boolean
  readonly fileShape: readonly number[]
}

/** A module method on one model, in the names of Hugging Face PEFT. */
export class ModuleHandle<
  O extends ModuleOptions = ModuleOptions,
  L extends AdaptedLayer = AdaptedLayer,
> implements PeftHandle {
  readonly parts: ModuleParts<O, L>
  readonly merge: (() => Promise<void>) | null
  /** Those of the method, and the tables of which rows are trained. */
  readonly #layers: ReadonlyMap<string, AdaptedLayer>
  readonly #entries: readonly Entry[]
  readonly #whole: WholeParameters
  /** Weights of the base that an adapter brought along, by their names in its file. */
  readonly #brought = new Map<string, Parameter>()
  /** Tensors made for a save, freed at the next one or with the handle. */
  #owned: Tensor[] = []

  constructor(parts: ModuleParts<O, L>) {
    this.parts = parts
    this.#layers = new Map<string, AdaptedLayer>([...parts.layers, ...parts.rows])
    this.#entries = entriesOf(parts)
    this.#whole = new WholeParameters(parts.whole)
    const merges = [...parts.layers.values()].every((layer) => 'merged' in layer)
    this.merge = merges ? () => this.#merge() : null
  }

  get stochastic(): boolean {
    return [...this.parts.layers.values()].some((layer) => layer.stochastic === true)
  }

  *trainable(): Iterable<TrainableParameter> {
    for (const entry of this.#entries) if (entry.trained) yield entry
  }

  setTraining(on: boolean): void {
    for (const layer of this.parts.layers.values()) layer.training = on
  }

  setEnabled(on: boolean): void {
    for (const layer of this.#layers.values()) layer.enabled = on
    this.#whole.setEnabled(on)
  }

  /** The adapter as PEFT loads it. What an earlier save returned is freed. */
  async save(): Promise<AdapterFiles> {
    const { rows, whole } = this.parts
    this.#free()
    const tensors = new Map<string, Tensor>()
    for (const entry of this.#entries) {
      const { parameter, turned, fileShape } = entry
      const value = parameter.trainable ? parameter.master : parameter.value
      const inFile = turned ? await this.#turn(value) : value
      tensors.set(
        entry.name,
        sameShape(inFile.shape, fileShape) ? inFile : this.#own(noGrad(() => inFile.reshape(...fileShape))),
      )
    }
    for (const [path, layer] of this.#layers) {
      for (const [name, saved] of (await layer.saved?.()) ?? [])
        tensors.set(this.#fileName(`${modulePrefix}${path}.${name}`), this.#own(saved))
      for (const [name, parameter] of layer.repeats ?? [])
        tensors.set(this.#fileName(`${modulePrefix}${path}.${name}`), parameter.master)
      if (savedWithBase.test(path) && !rows.size)
        tensors.set(`${modulePrefix}${path}.base_layer.weight`, layer.base_layer.weight.value)
    }
    for (const [name, parameter] of this.#brought) tensors.set(name, parameter.value)
    const head = this.#trainedTied()
    if (head && whole.size) tensors.set(head.name, head.parameter.master)
    return { config: this.parts.config(), tensors }
  }

  async load(source: AdapterSource): Promise<void> {
    const names = new Set(source.names())
    const known = new Map<string, Entry>()
    for (const entry of this.#entries) {
      const older = olderName(entry.name)
      known.set(!names.has(entry.name) && names.has(older) ? older : entry.name, entry)
    }
    const bases = this.#bases()
    const repeated = this.#repeatedNames()
    for (const name of names)
      if (!known.has(name) && !bases.has(name) && !repeated.has(name) && !repeatedBias.test(name))
        throw unexpected(source, name, known.keys())
    for (const [name, { parameter, turned, trained, fileShape }] of known) {
      if (!names.has(name)) {
        // Frozen values come from a seed where the file leaves them out.
        if (!trained) continue
        throw new IftError(
          'IFT_ADAPTER_MISSING',
          `${source.path}: tensor "${name}" is missing.`,
          'Is it an adapter of this model?',
        )
      }
      checkShape(source, name, fileShape)
      const values = await source.read(name)
      this.#write(parameter, turned ? turnedValues(values, fileShape[0]!, fileShape[1]!) : values)
    }
    // Weights of the base that the adapter was trained on, which may have been changed before.
    for (const [name, { parameter, turned }] of bases) {
      if (!names.has(name) || known.has(name) || repeated.has(name)) continue
      const [rows, cols] = parameter.shape as [number, number]
      checkShape(source, name, turned ? [cols, rows] : parameter.shape)
      const stored = await source.read(name)
      const values = turned ? turnedValues(stored, cols, rows) : stored
      const { backend, dtype } = this.parts.context
      parameter.assign(tensor(backend, values, parameter.shape, dtype))
      this.#brought.set(name, parameter)
    }
  }

  get unmergeable(): string | null {
    for (const layer of this.parts.layers.values())
      if (typeof layer.unmergeable === 'string') return layer.unmergeable
    return null
  }

  release(): void {
    this.#free()
    this.#whole.release()
    for (const layer of this.#layers.values()) {
      releaseTensors(layer.tensors())
      layer.releaseTables?.()
    }
    releaseTensors(this.parts.shared)
  }

  /** The head's name for a table that is trained whole and stays tied; PEFT writes it under both names. */
  #trainedTied(): { readonly name: string; readonly parameter: Parameter } | null {
    const tied = tiedHead(this.parts.model)
    const parameter = tied && this.parts.whole.get(`${tied.embeddingPath}.weight`)
    return tied && parameter ? { name: `${modulePrefix}${tied.path}.weight`, parameter } : null
  }

  /** Names under which the file has a trained parameter a second time. */
  #repeatedNames(): Set<string> {
    const names = new Set<string>()
    const head = this.#trainedTied()
    if (head) names.add(head.name)
    for (const [path, { repeats }] of this.#layers)
      for (const name of repeats?.keys() ?? []) names.add(this.#fileName(`${modulePrefix}${path}.${name}`))
    return names
  }

  /** Weights of the base by their names in an adapter's file, which PEFT loads into the base when it finds them there. */
  #bases(): Map<string, Pick<Entry, 'parameter' | 'turned'>> {
    const { model, context } = this.parts
    const bases = new Map<string, Pick<Entry, 'parameter' | 'turned'>>()
    for (const [path, parameter] of model.namedParameters()) {
      if (parameter.trainable) continue
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

  #write(parameter: Parameter, values: Float32Array): void {
    const { backend, dtype } = this.parts.context
    if (!parameter.trainable) {
      parameter.assign(tensor(backend, values, parameter.shape, dtype))
      return
    }
    backend.write(parameter.master.buf, values)
    parameter.roundFromMaster()
  }

  /** Folds every layer into its weights. A head that was tied to weights which change no longer is. */
  async #merge(): Promise<void> {
    const { model, context } = this.parts
    const layers = this.#layers
    if (this.unmergeable !== null)
      throw new IftError(
        'IFT_MERGE_IMPOSSIBLE',
        this.unmergeable,
        'Use it beside the base model: --adapter DIR',
      )
    const replace = (at: string, module: Module) =>
      replaceModules(
        model,
        (path) => path === at,
        () => module,
      )
    const tied = tiedHead(model)
    if (tied && [...layers.values()].some(({ base_layer }) => base_layer === (tied.head.embedding as Module)))
      replace(tied.path, untied(tied.head, ownTable(tied.head.embedding)))
    const tables = new Set<Parameter>()
    for (const [, module] of model.namedModules()) if (module instanceof Embedding) tables.add(module.weight)
    const isTable = ([, { base_layer }]: [string, AdaptedLayer]) => base_layer instanceof Embedding
    // A head first: it reads a table that may be folded too.
    const ordered = [...layers].sort((a, b) => Number(isTable(a)) - Number(isTable(b)))
    for (const [path, layer] of ordered) {
      if (layer.replaced) {
        replace(path, layer.replaced)
        continue
      }
      const shared = !isTable([path, layer]) && tables.has(layer.base_layer.weight)
      replace(path, await mergeLayer(layer, context.dtype, shared))
      releaseTensors(layer.tensors())
      layer.releaseTables?.()
    }
  }

  #fileName(name: string): string {
    return this.parts.fileName?.(name) ?? name
  }

  async #turn(t: Tensor): Promise<Tensor> {
    const [rows, cols] = t.shape as [number, number]
    return this.#own(tensor(t.backend, turnedValues(await t.read(), rows, cols), [cols, rows], 'f32'))
  }

  #free(): void {
    for (const owned of this.#owned) owned.release()
    this.#owned = []
  }

  #own(t: Tensor): Tensor {
    this.#owned.push(keep(t))
    return t
  }
}

/** All tensors of an adapter, in the order of its file. */
function entriesOf({ layers, rows, shared, whole, fileName = (name) => name }: ModuleParts): Entry[] {
  const entry = (peftName: string, own: AdapterTensor): Entry => {
    const name = fileName(peftName)
    const { parameter, trained = true, lrScale = 1, decay = true, turned = false } = own
    const { shape } = parameter
    const fileShape = own.fileShape ?? (turned ? [shape[1]!, shape[0]!] : shape)
    return { name, parameter, trained, lrScale, decay, turned, fileShape }
  }
  return [
    ...shared.map((own) => entry(`${sharedPrefix}${own.name}`, own)),
    ...[...layers, ...rows].flatMap(([path, layer]) =>
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

/** Values [rows, cols] as [cols, rows]. */
function turnedValues(values: Float32Array, rows: number, cols: number): Float32Array {
  const out = new Float32Array(values.length)
  for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) out[j * rows + i] = values[i * cols + j]!
  return out
}

const sameShape = (a: readonly number[], b: readonly number[]) => a.join() === b.join()

function checkShape(source: AdapterSource, name: string, expected: readonly number[]): void {
  const shape = source.shape(name)
  if (!sameShape(shape, expected))
    throw new IftError(
      'IFT_ADAPTER_SHAPE',
      `${source.path}: tensor "${name}" should be [${expected.join(', ')}], found [${shape.join(', ')}].`,
      'Give the options that the adapter was made with, or load it by adapter: alone.',
    )
}

function releaseTensors(tensors: readonly AdapterTensor[]): void {
  for (const { parameter } of tensors) parameter.release()
}

const unexpected = (source: AdapterSource, name: string, known: Iterable<string>): IftError => {
  const near = suggest(name, known)
  return new IftError(
    'IFT_ADAPTER_UNEXPECTED',
    `${source.path}: tensor "${name}" belongs to no adapted layer of this model${near ? ` (near: "${near}")` : ''}.`,
    'Is it an adapter of this model family? Its target_modules decide which layers are adapted.',
  )
}
