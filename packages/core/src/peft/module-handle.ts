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
import type { AdaptedLayer, AdapterTensor } from './adapted-layer.js'
import { mergeLayer } from './merge-layer.js'
import {
  asItIs,
  checkShape,
  checkedFile,
  entriesOf,
  layersOf,
  sameShape,
  trainedTied,
  type Entry,
} from './adapter-entries.js'
import { isSavedWithBase, modulePrefix } from './names.js'
import type { ModuleOptions } from './options.js'
import type { TokenRowsLayer } from './place-token-rows.js'
import { ownTable, tiedHead, untied } from './tied.js'
import { WholeParameters } from './whole-parameters.js'

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
  /** `ModuleMethod.source`, for a file of tensors of these names; as it is when absent. */
  readonly source?: (source: AdapterSource, names: ReadonlySet<string>) => AdapterSource
  /** The fields of adapter_config.json. */
  config(): Readonly<Record<string, unknown>>
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
    this.#layers = layersOf(parts)
    this.#entries = entriesOf(parts)
    this.#whole = new WholeParameters(parts.whole.values())
    const merges = [...parts.layers.values()].every((layer) => 'merged' in layer)
    this.merge = merges ? () => this.#merge() : null
  }

  get stochastic(): boolean {
    return [...this.parts.layers.values()].some((layer) => layer.stochastic === true)
  }

  *trainable(): Iterable<TrainableParameter> {
    for (const { name, trained, lrScale, decay, ...entry } of this.#entries)
      if (trained) yield { name, parameter: this.#whole.trained(entry.parameter), lrScale, decay }
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
    const { rows, fileName = asItIs } = this.parts
    this.#free()
    const tensors = new Map<string, Tensor>()
    for (const entry of this.#entries) {
      const { turned, fileShape } = entry
      const parameter = this.#whole.trained(entry.parameter)
      const value = parameter.trainable ? parameter.master : parameter.value
      const inFile = turned ? await this.#turn(value) : value
      tensors.set(
        entry.name,
        sameShape(inFile.shape, fileShape) ? inFile : this.#own(noGrad(() => inFile.reshape(...fileShape))),
      )
    }
    for (const [path, layer] of this.#layers) {
      for (const [name, saved] of (await layer.saved?.()) ?? [])
        tensors.set(fileName(`${modulePrefix}${path}.${name}`), this.#own(saved))
      for (const [name, parameter] of layer.repeats ?? [])
        tensors.set(fileName(`${modulePrefix}${path}.${name}`), parameter.master)
      if (isSavedWithBase(path) && !rows.size)
        tensors.set(`${modulePrefix}${path}.base_layer.weight`, layer.base_layer.weight.value)
    }
    for (const [name, parameter] of this.#brought) tensors.set(name, parameter.value)
    const head = trainedTied(this.parts)
    if (head) tensors.set(head.name, this.#whole.trained(head.parameter).master)
    return { config: this.parts.config(), tensors }
  }

  async load(given: AdapterSource): Promise<void> {
    const { source, names, known, bases, repeated } = checkedFile(this.parts, this.#entries, given)
    for (const [name, { parameter, turned, fileShape }] of known) {
      // Frozen values come from a seed where the file leaves them out.
      if (!names.has(name)) continue
      const values = await source.read(name)
      this.#write(
        this.#whole.trained(parameter),
        turned ? turnedValues(values, fileShape[0]!, fileShape[1]!) : values,
      )
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
    releaseParts(this.parts)
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
    this.#whole.setEnabled(true)
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

/** Values [rows, cols] as [cols, rows]. */
function turnedValues(values: Float32Array, rows: number, cols: number): Float32Array {
  const out = new Float32Array(values.length)
  for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) out[j * rows + i] = values[i * cols + j]!
  return out
}

function releaseTensors(tensors: readonly AdapterTensor[]): void {
  for (const { parameter } of tensors) parameter.release()
}

/** Frees the tensors of an adapter, and what its layers hold besides. */
export function releaseParts(parts: Pick<ModuleParts, 'layers' | 'rows' | 'shared'>): void {
  for (const layer of layersOf(parts).values()) {
    releaseTensors(layer.tensors())
    layer.releaseTables?.()
  }
  releaseTensors(parts.shared)
}
