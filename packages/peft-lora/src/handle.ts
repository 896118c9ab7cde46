import {
  IftError,
  suggest,
  type AdapterFiles,
  type AdapterSource,
  type PeftContext,
  type PeftHandle,
  type TrainableParameter,
} from '@ift/core'
import {
  keep,
  noGrad,
  ops,
  replaceModules,
  scope,
  tensor,
  type CausalLM,
  type Parameter,
  type Tensor,
} from '@ift/tensor'
import { LoraLinear } from './lora-linear.js'
import type { LoraOptions } from './options.js'

/** Prefix of every name in a PEFT adapter file. */
const prefix = 'base_model.model.'

/** A parameter under its name in the adapter file. */
interface Entry {
  readonly name: string
  readonly parameter: Parameter
  readonly lrScale: number
  readonly decay: boolean
}

/** A and B of a layer at the start of training, kept for PiSSA whose export is relative to the original weights. */
export interface InitialFactors {
  readonly a: Float32Array
  readonly b: Float32Array
}

export interface HandleParts {
  readonly model: CausalLM
  readonly options: LoraOptions
  readonly context: PeftContext
  readonly layers: ReadonlyMap<string, LoraLinear>
  /** Modules trained whole, and biases, by module path. */
  readonly whole: ReadonlyMap<string, Parameter>
  /** Only with init pissa. */
  readonly initial: ReadonlyMap<string, InitialFactors>
}

/** LoRA attached to one model, in the names of Hugging Face PEFT. */
export class LoraHandle implements PeftHandle {
  readonly #parts: HandleParts
  readonly #entries: readonly Entry[]

  constructor(parts: HandleParts) {
    this.#parts = parts
    const ratio = parts.options.loraPlusRatio
    const entries: Entry[] = []
    for (const [path, layer] of parts.layers) {
      entries.push({
        name: `${prefix}${path}.lora_A.weight`,
        parameter: layer.lora_A.weight,
        lrScale: 1,
        decay: true,
      })
      entries.push({
        name: `${prefix}${path}.lora_B.weight`,
        parameter: layer.lora_B.weight,
        lrScale: ratio,
        decay: true,
      })
      if (layer.lora_magnitude_vector)
        entries.push({
          name: `${prefix}${path}.lora_magnitude_vector`,
          parameter: layer.lora_magnitude_vector,
          lrScale: 1,
          decay: true,
        })
    }
    for (const [path, parameter] of parts.whole)
      entries.push({ name: `${prefix}${path}`, parameter, lrScale: 1, decay: parameter.shape.length > 1 })
    this.#entries = entries
  }

  trainable(): Iterable<TrainableParameter> {
    return this.#entries
  }

  setTraining(on: boolean): void {
    for (const layer of this.#parts.layers.values()) layer.training = on
  }

  /**
   * The adapter as PEFT loads it against the original weights. PiSSA moved part of W into A and B, so its update
   * scale · (B A - B0 A0) is written as a plain LoRA of rank 2r: [B, -B0] · [A; A0].
   */
  async save(): Promise<AdapterFiles> {
    const { initial } = this.#parts
    const tensors = new Map<string, Tensor>()
    for (const { name, parameter } of this.#entries) tensors.set(name, parameter.master)
    for (const [path, factors] of initial) await this.#widen(path, factors, tensors)
    return { config: this.#config(), tensors }
  }

  async #widen(path: string, factors: InitialFactors, tensors: Map<string, Tensor>): Promise<void> {
    const layer = this.#parts.layers.get(path)!
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

  /** Tensors made for a save, freed at the next one or with the handle. */
  #owned: Tensor[] = []

  #own(t: Tensor): Tensor {
    this.#owned.push(keep(t))
    return t
  }

  #config(): Record<string, unknown> {
    const { options, context, layers, whole, initial } = this.#parts
    const widened = initial.size ? 2 : 1
    const targets = [...new Set([...layers.keys()].map((path) => path.split('.').at(-1)!))].sort()
    // A suffix list says the same as the layers adapted only when it was a suffix list that chose them.
    const bySuffix = Array.isArray(options.targetModules) || options.targetModules === undefined
    const double = (table: Readonly<Record<string, number>>) =>
      Object.fromEntries(Object.entries(table).map(([key, value]) => [key, value * widened]))
    return {
      alpha_pattern: double(options.alphaPattern),
      auto_mapping: null,
      base_model_name_or_path: context.baseModel,
      bias: options.bias,
      exclude_modules: options.excludeModules ?? null,
      // How the base weights lie in PEFT's model; A and B are the same either way.
      fan_in_fan_out: [...layers.keys()].every((path) => context.definition.transposed?.(`${path}.weight`)),
      inference_mode: true,
      init_lora_weights: true,
      layers_pattern: null,
      layers_to_transform: options.layersToTransform ?? null,
      lora_alpha: options.alpha * widened * (options.rslora && widened === 2 ? Math.SQRT1_2 : 1),
      lora_dropout: options.dropout,
      modules_to_save: whole.size ? this.#savedModules() : null,
      peft_type: 'LORA',
      r: options.r * widened,
      rank_pattern: double(options.rankPattern),
      revision: null,
      target_modules: bySuffix
        ? (options.targetModules ?? targets)
        : targets.length
          ? options.targetModules
          : [],
      task_type: 'CAUSAL_LM',
      use_dora: options.dora,
      use_rslora: options.rslora,
    }
  }

  #savedModules(): string[] | null {
    const { options } = this.#parts
    return options.modulesToSave.length ? options.modulesToSave : null
  }

  async load(source: AdapterSource): Promise<void> {
    if (this.#parts.initial.size)
      throw new IftError(
        'IFT_ADAPTER_PISSA',
        `${source.path} cannot be loaded into layers started with init: pissa, whose base weights were changed.`,
        'Remove peft.init: an adapter brings its own values.',
      )
    const known = new Map(this.#entries.map((entry) => [entry.name, entry.parameter]))
    const names = new Set(source.names())
    for (const name of names) if (!known.has(name)) throw unexpected(source, name, known.keys())
    for (const [name, parameter] of known) {
      if (!names.has(name))
        throw new IftError(
          'IFT_ADAPTER_MISSING',
          `${source.path}: tensor "${name}" is missing.`,
          'Is it an adapter of this model?',
        )
      const shape = source.shape(name)
      if (shape.join() !== parameter.shape.join())
        throw new IftError(
          'IFT_ADAPTER_SHAPE',
          `${source.path}: tensor "${name}" should be [${parameter.shape.join(', ')}], found [${shape.join(', ')}].`,
          'Set peft.r and peft.rankPattern to those of the adapter, or load it by adapter: alone.',
        )
      this.#write(parameter, await source.read(name))
    }
  }

  #write(parameter: Parameter, values: Float32Array): void {
    this.#parts.context.backend.write(parameter.master.buf, values)
    parameter.roundFromMaster()
  }

  readonly merge = async (): Promise<void> => {
    const { layers, model } = this.#parts
    for (const [path, layer] of layers) {
      if (layer.lora_magnitude_vector) await mergeDora(layer)
      else mergeLora(layer)
      replaceModules(
        model,
        (at) => at === path,
        () => layer.base_layer,
      )
      releaseFactors(layer)
    }
  }

  release(): void {
    for (const owned of this.#owned) owned.release()
    this.#owned = []
    for (const layer of this.#parts.layers.values()) releaseFactors(layer)
  }
}

function releaseFactors(layer: LoraLinear): void {
  layer.lora_A.weight.release()
  layer.lora_B.weight.release()
  layer.lora_magnitude_vector?.release()
}

/** W ← W + scale · B A, summed in f32 and rounded once. */
function mergeLora(layer: LoraLinear): void {
  const { weight } = layer.base_layer
  weight.assign(
    noGrad(() =>
      scope(() =>
        ops.cast(ops.add(ops.cast(weight.value, 'f32'), layer.delta()), weight.value.dtype as 'f32'),
      ),
    ),
  )
}

/** W ← m / ‖W + scale · B A‖ ⊙ (W + scale · B A) by rows. */
async function mergeDora(layer: LoraLinear): Promise<void> {
  const { weight } = layer.base_layer
  const [out, input] = weight.shape as [number, number]
  const [sum, norms] = noGrad(() =>
    scope(() => [ops.add(ops.cast(weight.value, 'f32'), layer.delta()), layer.norms()] as const),
  )
  const values = await sum.read()
  const lengths = await norms.read()
  const magnitudes = await layer.lora_magnitude_vector!.value.read()
  for (let i = 0; i < out; i++) {
    const factor = magnitudes[i]! / lengths[i]!
    for (let j = 0; j < input; j++) values[i * input + j]! *= factor
  }
  sum.release()
  norms.release()
  weight.assign(tensor(weight.value.backend, values, weight.shape, weight.value.dtype))
}

const unexpected = (source: AdapterSource, name: string, known: Iterable<string>): IftError => {
  const near = suggest(name, known)
  return new IftError(
    'IFT_ADAPTER_UNEXPECTED',
    `${source.path}: tensor "${name}" belongs to no adapted layer of this model${near ? ` (near: "${near}")` : ''}.`,
    'Is it an adapter of this model family? Its target_modules decide which layers are adapted.',
  )
}
