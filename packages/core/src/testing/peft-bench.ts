import { join } from 'node:path'
import { quantizeLinears, type Backend, type CausalLM, type FloatDType, type QuantFormat } from '@ift/tensor'
import { referenceBackend } from '@ift/tensor/reference'
import { openCheckpoint } from '../checkpoint/source.js'
import { initializeWeights, loadWeights } from '../checkpoint/weights.js'
import { check } from '../config/validate.js'
import type { ModelDefinition, ModelRoles, ModelShape } from '../contract/model.js'
import type { AdapterSource, PeftHandle, PeftMethod } from '../contract/peft.js'
import { positionsLeft, virtualLength } from '../data/virtual-tokens.js'
import { jsonObject, readJson } from '../files/index.js'
import { optionsOf } from '../peft/setting.js'
import { claim, claimClose } from './claim.js'
import { randomIds } from './random-ids.js'
import { wordTokenizer } from './tokenizer.js'

/** A model small enough for arithmetic in TypeScript: a folder with config.json and weights, or a config alone. */
export interface PeftModel {
  readonly definition: ModelDefinition
  /** Folder with config.json and model.safetensors. */
  readonly folder?: string
  /** config.json where there is no folder; the weights are then random. */
  readonly config?: Readonly<Record<string, unknown>>
  /** Ids that end a prompt which is read in both directions: they stand in the middle of every sequence. */
  readonly promptEnd?: readonly number[]
}

export interface PeftConformanceOptions {
  /** Models to try it on. */
  readonly models: readonly PeftModel[]
  /** Options of the method as a config writes them, `method` left out; its defaults when omitted. Of tokens, 4 is in all sequences. */
  readonly options?: Readonly<Record<string, unknown>>
  /** Device to run on; the reference backend when omitted. */
  readonly open?: () => Backend
  /** False for a method that moves the logits before it is trained, as random virtual tokens do; true when omitted. */
  readonly startsAtBase?: boolean
  /** False where the gradient holds part of the forward pass constant by definition, as DoRA's does the norms; true when omitted. */
  readonly wholeGradient?: boolean
  /** A rate at which it learns; 0.01 when omitted. */
  readonly learningRate?: number
}

/** What the frozen weights are held in; those in few bits have activations in f32. */
export type PeftBase = 'f32' | 'bf16' | QuantFormat

/** A method on a model, or the model alone. */
export interface Subject<P extends PeftHandle | null = PeftHandle | null> {
  readonly backend: Backend
  readonly model: CausalLM
  readonly shape: ModelShape
  readonly roles: ModelRoles
  readonly peft: P
}

export type Attached = Subject<PeftHandle>

export interface PeftSettings {
  /** That of the bench when omitted. */
  readonly base?: PeftBase
  readonly open?: (() => Backend) | undefined
  readonly seed?: number
  /** The adapter that is loaded next, whose config gives the options. */
  readonly adapter?: AdapterSource
}

/** A method and a model, attached anew for every case. */
export class PeftBench {
  readonly learningRate: number

  constructor(
    readonly method: PeftMethod,
    readonly subject: PeftModel,
    readonly options: Omit<PeftConformanceOptions, 'models'>,
    readonly base: PeftBase = 'f32',
  ) {
    this.learningRate = options.learningRate ?? 0.01
  }

  /** Fails unless the values are within `tolerance` of the expected ones, or of their size what the rounding of bf16 gives. */
  near(what: string, found: Float32Array, expected: Float32Array, tolerance: number): void {
    if (this.base !== 'bf16') {
      claimClose(what, found, expected, tolerance)
      return
    }
    const difference = norm(expected.map((value, i) => value - found[i]!)) / norm(expected)
    claim(difference < 0.1, `${what} in bf16 are ${difference} of their size away.`)
  }

  /** The options as a config gives them to the method. Throws IFT_CONFIG_INVALID that names the field. */
  parsed(more: Readonly<Record<string, unknown>> = {}): unknown {
    return check(this.method.options, { ...this.options.options, ...more }, 'The config', 'peft')
  }

  /** The definition's own config. */
  async config(): Promise<unknown> {
    const { definition, folder, config } = this.subject
    return definition.parseConfig(config ?? (await readJson(join(folder!, 'config.json'), jsonObject)))
  }

  /** Type of weights and activations. */
  get dtype(): FloatDType {
    return typesOf(this.base).dtype
  }

  /** The modules of the model, without weights. */
  build(config: unknown, base = this.base): CausalLM {
    const { quantize } = typesOf(base)
    const model = this.subject.definition.build(config)
    if (quantize !== undefined) quantizeLinears(model, quantize, [model.lmHead])
    return model
  }

  /** Runs with the model alone; nothing of it may be left on the device. */
  async withBase<T>(use: (base: Subject<null>) => Promise<T>, settings: PeftSettings = {}): Promise<T> {
    const { open = this.options.open ?? referenceBackend } = settings
    const { dtype } = typesOf(settings.base ?? this.base)
    const { definition, folder, config: given } = this.subject
    claim(folder !== undefined || given !== undefined, `${definition.name}: expected a folder or a config.`)
    const backend = open()
    try {
      const config = await this.config()
      const model = this.build(config, settings.base)
      if (folder === undefined)
        await initializeWeights(model, audible(definition), config, { backend, dtype, seed: 7 })
      else {
        const source = await openCheckpoint(join(folder, 'model.safetensors'))
        await loadWeights(model, definition, config, source, { backend, dtype })
      }
      const shape = definition.shape(config)
      const result = await use({ backend, model, shape, roles: definition.roles(config), peft: null })
      model.release()
      const { buffers } = backend.memory()
      claim(buffers === 0, `${buffers} buffers outlive the method and its model.`)
      return result
    } finally {
      backend.close()
    }
  }

  /** Runs with the method on the model, as it starts. */
  with<T>(use: (attached: Attached) => Promise<T>, settings: PeftSettings = {}): Promise<T> {
    return this.withBase(async (base) => {
      const peft = await this.attach(base, settings)
      const result = await use({ ...base, peft })
      peft.release()
      return result
    }, settings)
  }

  /** The same with an adapter that does something: every trained value is moved. */
  withTrained<T>(use: (attached: Attached) => Promise<T>, settings: PeftSettings = {}): Promise<T> {
    return this.with(async (attached) => {
      await disturb(attached)
      return use(attached)
    }, settings)
  }

  /** Puts the method on a model. */
  attach(base: Subject<null>, { base: held, seed = 1, adapter }: PeftSettings = {}): Promise<PeftHandle> {
    const { definition, folder } = this.subject
    const { dtype } = typesOf(held ?? this.base)
    const { method } = this
    const options: unknown =
      adapter === undefined
        ? this.parsed()
        : check(method.options, optionsOf<unknown>(method, adapter), 'The adapter', 'peft')
    return method.attach(base.model, options, {
      ...{ definition, shape: base.shape, roles: base.roles, backend: base.backend, dtype, seed, adapter },
      baseModel: folder ?? definition.name,
      tokenizer: wordTokenizer(),
    })
  }

  /** Sequences of different lengths that the positions allow. The token 4 is in all of them, for a method that trains tokens. */
  sequences({ peft, shape }: Subject, lengths: readonly number[] = [5, 3, 9, 4]): number[][] {
    const { vocab } = shape
    const maxPositions = positionsLeft(virtualLength(peft), shape)
    const found = randomIds(vocab, lengths, { maxPositions, within: this.subject.promptEnd ?? [] })
    return found.map((ids) => ids.with(1, 4))
  }
}

/** Random weights large enough that a wrong position or a lost row shows in the logits, as they do not at the start of training. */
const audible = (definition: ModelDefinition): ModelDefinition => ({
  ...definition,
  initialize: (path, config) => {
    const start = definition.initialize(path, config)
    if (start.kind === 'normal') return { kind: 'normal', std: Math.max(start.std, 0.25) }
    return start.value === 0 ? { kind: 'normal', std: 0.1 } : start
  },
})

const typesOf = (base: PeftBase): { readonly dtype: FloatDType; readonly quantize?: QuantFormat } =>
  base === 'f32' || base === 'bf16' ? { dtype: base } : { dtype: 'f32', quantize: base }

export const norm = (values: Float32Array): number =>
  Math.sqrt(values.reduce((sum, value) => sum + value * value, 0))

/** Adds something to every trained value, the same at every call, so that no zero hides another tensor. */
export async function disturb({ peft, backend }: Attached, spread = 0.2): Promise<void> {
  let state = 5
  for (const { parameter } of peft.trainable()) {
    const values = await parameter.master.read()
    const moved = values.map((value) => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0
      return value + spread * (state / 2 ** 31 - 1)
    })
    backend.write(parameter.master.buf, moved)
    parameter.roundFromMaster()
  }
}
