import {
  IftError,
  suggest,
  type AdapterFiles,
  type AdapterSource,
  type PeftContext,
  type PeftHandle,
  type PeftMemory,
  type TrainableParameter,
} from '@ift/core'
import {
  keep,
  Parameter,
  replaceModules,
  tensor,
  Embedding,
  type CausalLM,
  type Module,
  type Tensor,
} from '@ift/tensor'
import { LoraEmbedding } from './lora-embedding.js'
import { LoraLinear } from './lora-linear.js'
import { mergeEmbedding, mergeLinear } from './merge.js'
import type { LoraOptions } from './options.js'
import { ownTable, tiedHead, untied } from './tied.js'

/** Prefix of every name in a PEFT adapter file. */
const prefix = 'base_model.model.'

export type LoraLayer = LoraLinear | LoraEmbedding

/** A parameter under its name in the adapter file. */
interface Entry extends TrainableParameter {
  /** Whether the file holds it with rows and columns exchanged. */
  readonly turned: boolean
}

/** Layers whose frozen weights PEFT writes into the adapter when it adapts them. */
const savedWithBase = /(?:^|\.)(?:embed_tokens|lm_head)$/

/** PEFT with bias: all writes the biases of modules trained whole three times; the value trained has the plain name. */
const repeatedBias = /\.(?:original_module|modules_to_save)\.bias$/

/** PEFT before 0.7 gave the bias of an adapted layer the name it has without the adapter. */
const olderName = (name: string) => name.replace('.base_layer.bias', '.bias')

/** A and B of a layer at the start of training, kept for PiSSA whose export is relative to the original weights. */
export interface InitialFactors {
  readonly a: Float32Array
  readonly b: Float32Array
}

export interface HandleParts {
  readonly model: CausalLM
  readonly options: LoraOptions
  readonly context: PeftContext
  readonly layers: ReadonlyMap<string, LoraLayer>
  /** Modules trained whole, and biases, by PEFT's path. */
  readonly whole: ReadonlyMap<string, Parameter>
  /** Only with init pissa. */
  readonly initial: ReadonlyMap<string, InitialFactors>
}

/** LoRA attached to one model, in the names of Hugging Face PEFT. */
export class LoraHandle implements PeftHandle {
  readonly #parts: HandleParts
  readonly #entries: readonly Entry[]
  /** Weights of the base that an adapter brought along, by their names in its file. */
  readonly #brought = new Map<string, Parameter>()
  readonly stochastic: boolean

  constructor(parts: HandleParts) {
    this.#parts = parts
    this.stochastic = parts.options.dropout > 0
    const ratio = parts.options.loraPlusRatio
    const entries: Entry[] = []
    const add = (name: string, parameter: Parameter, lrScale = 1, decay = true, turned = false) =>
      entries.push({ name: `${prefix}${name}`, parameter, lrScale, decay, turned })
    for (const [path, layer] of parts.layers)
      if (layer instanceof LoraEmbedding) {
        add(`${path}.lora_embedding_A`, layer.lora_embedding_A, 1, true, true)
        add(`${path}.lora_embedding_B`, layer.lora_embedding_B, ratio)
      } else {
        add(`${path}.lora_A.weight`, layer.lora_A.weight)
        add(`${path}.lora_B.weight`, layer.lora_B.weight, ratio)
        if (layer.lora_B.bias) add(`${path}.lora_B.bias`, layer.lora_B.bias, ratio, false)
        if (layer.lora_magnitude_vector) add(`${path}.lora_magnitude_vector`, layer.lora_magnitude_vector)
      }
    for (const [path, parameter] of parts.whole) add(path, parameter, 1, parameter.shape.length > 1)
    this.#entries = entries
  }

  trainable(): Iterable<TrainableParameter> {
    return this.#entries
  }

  /** A · x of every adapted linear layer. */
  memory(): PeftMemory {
    const { layers, context } = this.#parts
    let ranks = 0
    for (const layer of layers.values())
      if (layer instanceof LoraLinear) ranks += layer.lora_A.weight.shape[0]!
    return { activationsPerToken: ranks / context.shape.layers }
  }

  setTraining(on: boolean): void {
    for (const layer of this.#parts.layers.values()) if (layer instanceof LoraLinear) layer.training = on
  }

  /**
   * The adapter as PEFT loads it against the original weights. PiSSA moved part of W into A and B, so its update
   * scale · (B A - B0 A0) is written as a plain LoRA of rank 2r: [B, -B0] · [A; A0]. What an earlier save returned is freed.
   */
  async save(): Promise<AdapterFiles> {
    const { initial } = this.#parts
    this.#free()
    const tensors = new Map<string, Tensor>()
    for (const { name, parameter, turned } of this.#entries)
      tensors.set(name, turned ? await this.#turn(parameter.master) : parameter.master)
    for (const [path, { base_layer }] of this.#parts.layers)
      if (savedWithBase.test(path)) tensors.set(`${prefix}${path}.base_layer.weight`, base_layer.weight.value)
    for (const [name, parameter] of this.#brought) tensors.set(name, parameter.value)
    const head = this.#trainedTied()
    if (head) tensors.set(head.name, head.parameter.master)
    for (const [path, factors] of initial) await this.#widen(path, factors, tensors)
    return { config: this.#config(), tensors }
  }

  /** The head's name for a table that is trained whole and stays tied; PEFT writes it under both names. */
  #trainedTied(): { readonly name: string; readonly parameter: Parameter } | null {
    const tied = tiedHead(this.#parts.model)
    const parameter = tied && this.#parts.whole.get(`${tied.embeddingPath}.weight`)
    return tied && parameter ? { name: `${prefix}${tied.path}.weight`, parameter } : null
  }

  async #widen(path: string, factors: InitialFactors, tensors: Map<string, Tensor>): Promise<void> {
    const layer = this.#parts.layers.get(path) as LoraLinear
    const { backend } = this.#parts.context
    const [r, input] = layer.lora_A.weight.shape as [number, number]
    const out = layer.outFeatures
    const a = await layer.lora_A.weight.master.read()
    const b = await layer.lora_B.weight.master.read()
    const wideA = new Float32Array(2 * r * input)
    wideA.set(a)
    wideA.set(factors.a, r * input)
    const wideB = new Float32Array(out * 2 * r)
    for (let i = 0; i < out; i++)
      for (let c = 0; c < r; c++) {
        wideB[i * 2 * r + c] = b[i * r + c]!
        wideB[i * 2 * r + r + c] = -factors.b[i * r + c]!
      }
    tensors.set(`${prefix}${path}.lora_A.weight`, this.#own(tensor(backend, wideA, [2 * r, input], 'f32')))
    tensors.set(`${prefix}${path}.lora_B.weight`, this.#own(tensor(backend, wideB, [out, 2 * r], 'f32')))
  }

  async #turn(t: Tensor): Promise<Tensor> {
    const [rows, cols] = t.shape as [number, number]
    return this.#own(tensor(t.backend, turnedValues(await t.read(), rows, cols), [cols, rows], 'f32'))
  }

  /** Tensors made for a save, freed at the next one or with the handle. */
  #owned: Tensor[] = []

  #free(): void {
    for (const owned of this.#owned) owned.release()
    this.#owned = []
  }

  #own(t: Tensor): Tensor {
    this.#owned.push(keep(t))
    return t
  }

  #config(): Record<string, unknown> {
    const { options, context, layers, initial } = this.#parts
    const widened = initial.size ? 2 : 1
    // The rank is doubled, so alpha grows by the factor that keeps the scale.
    const alphaFactor = initial.size ? (options.rslora ? Math.SQRT2 : 2) : 1
    const { targetModules, layersToTransform } = options
    // PEFT accepts layer indices only beside a list of names, so the list names the layers themselves.
    const byPath = typeof targetModules === 'string' && layersToTransform !== undefined
    const names = [...layers.keys()].map((path) => (byPath ? path : path.split('.').at(-1)!))
    const times = (table: Readonly<Record<string, number>>, factor: number) =>
      Object.fromEntries(Object.entries(table).map(([key, value]) => [key, value * factor]))
    return {
      alpha_pattern: times(options.alphaPattern, alphaFactor),
      auto_mapping: null,
      base_model_name_or_path: context.baseModel,
      bias: options.bias,
      exclude_modules: options.excludeModules ?? null,
      // How the base weights lie in PEFT's model; A and B are the same either way.
      fan_in_fan_out: [...layers.keys()].every((path) => context.definition.transposed?.(`${path}.weight`)),
      inference_mode: true,
      init_lora_weights: true,
      layers_pattern: byPath ? null : (options.layersPattern ?? null),
      layers_to_transform: byPath ? null : (layersToTransform ?? null),
      lora_alpha: options.alpha * alphaFactor,
      lora_dropout: options.dropout,
      modules_to_save: options.modulesToSave.length ? options.modulesToSave : null,
      peft_type: 'LORA',
      r: options.r * widened,
      rank_pattern: times(options.rankPattern, widened),
      revision: null,
      target_modules: (byPath ? undefined : targetModules) ?? [...new Set(names)].sort(),
      task_type: 'CAUSAL_LM',
      use_dora: options.dora,
      use_rslora: options.rslora,
      // Older versions warn of fields that they do not know.
      ...(options.loraBias && { lora_bias: true }),
      ...(options.ensureWeightTying && { ensure_weight_tying: true }),
    }
  }

  async load(source: AdapterSource): Promise<void> {
    if (this.#parts.initial.size && source.config['init_lora_weights'] !== 'pissa')
      throw new IftError(
        'IFT_ADAPTER_PISSA',
        `${source.path} cannot be loaded into layers started with init: pissa, whose base weights were changed.`,
        'Remove peft.init: an adapter brings its own values.',
      )
    const names = new Set(source.names())
    const known = new Map<string, Entry>()
    for (const entry of this.#entries)
      known.set(names.has(entry.name) ? entry.name : olderName(entry.name), entry)
    const bases = this.#bases()
    const repeated = this.#trainedTied()?.name
    for (const name of names)
      if (!known.has(name) && !bases.has(name) && name !== repeated && !repeatedBias.test(name))
        throw unexpected(source, name, known.keys())
    for (const [name, { parameter, turned }] of known) {
      if (!names.has(name))
        throw new IftError(
          'IFT_ADAPTER_MISSING',
          `${source.path}: tensor "${name}" is missing.`,
          'Is it an adapter of this model?',
        )
      const [rows, cols] = parameter.shape as [number, number]
      checkShape(source, name, turned ? [cols, rows] : parameter.shape)
      const values = await source.read(name)
      this.#write(parameter, turned ? turnedValues(values, cols, rows) : values)
    }
    // Weights of the base that the adapter was trained on, which may have been changed before.
    for (const [name, { parameter, turned }] of bases) {
      if (!names.has(name) || known.has(name) || name === repeated) continue
      const [rows, cols] = parameter.shape as [number, number]
      checkShape(source, name, turned ? [cols, rows] : parameter.shape)
      const stored = await source.read(name)
      const values = turned ? turnedValues(stored, cols, rows) : stored
      const { backend, dtype } = this.#parts.context
      parameter.assign(tensor(backend, values, parameter.shape, dtype))
      this.#brought.set(name, parameter)
    }
  }

  /** Weights of the base by their names in an adapter's file, which PEFT loads into the base when it finds them there. */
  #bases(): Map<string, Pick<Entry, 'parameter' | 'turned'>> {
    const { model, context } = this.#parts
    const bases = new Map<string, Pick<Entry, 'parameter' | 'turned'>>()
    for (const [path, parameter] of model.namedParameters()) {
      if (parameter.trainable) continue
      const turned = context.definition.transposed?.(path.replace('.base_layer.', '.')) === true
      bases.set(`${prefix}${path}`, { parameter, turned })
    }
    const tied = tiedHead(model)
    if (tied)
      bases.set(`${prefix}${tied.path}.weight`, { parameter: tied.head.embedding.weight, turned: false })
    return bases
  }

  #write(parameter: Parameter, values: Float32Array): void {
    this.#parts.context.backend.write(parameter.master.buf, values)
    parameter.roundFromMaster()
  }

  get unmergeable(): string | null {
    for (const [path, layer] of this.#parts.layers)
      if (layer instanceof LoraLinear && layer.lora_B.bias && !layer.base_layer.bias)
        return `The adapter has a bias for "${path}" (loraBias), which has none to fold it into.`
    return null
  }

  /** Folds every layer into its weights. A head that was tied to weights which change no longer is. */
  async merge(): Promise<void> {
    const { layers, model, context } = this.#parts
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
    if (tied && [...layers.values()].some(({ base_layer }) => base_layer === tied.head.embedding))
      replace(tied.path, untied(tied.head, ownTable(tied.head.embedding)))
    const tables = new Set<Parameter>()
    for (const [, module] of model.namedModules()) if (module instanceof Embedding) tables.add(module.weight)
    const isTable = (layer: LoraLinear) => tables.has(layer.base_layer.weight)
    // A head first: it reads a table that may be folded too.
    const linear = [...layers].filter((entry) => entry[1] instanceof LoraLinear) as [string, LoraLinear][]
    for (const [path, layer] of linear) {
      replace(path, await mergeLinear(layer, context.dtype, isTable(layer)))
      releaseFactors(layer)
    }
    for (const [path, layer] of layers) {
      if (!(layer instanceof LoraEmbedding)) continue
      replace(path, mergeEmbedding(layer))
      releaseFactors(layer)
    }
  }

  release(): void {
    this.#free()
    for (const layer of this.#parts.layers.values()) releaseFactors(layer)
  }
}

/** Values [rows, cols] as [cols, rows]. */
function turnedValues(values: Float32Array, rows: number, cols: number): Float32Array {
  const out = new Float32Array(values.length)
  for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) out[j * rows + i] = values[i * cols + j]!
  return out
}

function checkShape(source: AdapterSource, name: string, expected: readonly number[]): void {
  const shape = source.shape(name)
  if (shape.join() !== expected.join())
    throw new IftError(
      'IFT_ADAPTER_SHAPE',
      `${source.path}: tensor "${name}" should be [${expected.join(', ')}], found [${shape.join(', ')}].`,
      'Set peft.r and peft.rankPattern to those of the adapter, or load it by adapter: alone.',
    )
}

function releaseFactors(layer: LoraLayer): void {
  if (layer instanceof LoraEmbedding) {
    layer.lora_embedding_A.release()
    layer.lora_embedding_B.release()
    return
  }
  layer.lora_A.weight.release()
  layer.lora_B.weight.release()
  layer.lora_B.bias?.release()
  layer.lora_magnitude_vector?.release()
}

const unexpected = (source: AdapterSource, name: string, known: Iterable<string>): IftError => {
  const near = suggest(name, known)
  return new IftError(
    'IFT_ADAPTER_UNEXPECTED',
    `${source.path}: tensor "${name}" belongs to no adapted layer of this model${near ? ` (near: "${near}")` : ''}.`,
    'Is it an adapter of this model family? Its target_modules decide which layers are adapted.',
  )
}
