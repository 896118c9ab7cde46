import {
  IftError,
  type AdapterSource,
  type ModelShape,
  type PeftContext,
  type PeftMethod,
  type PeftPrefix,
} from '@ift/core'
import { readAdapterConfig, startTensor, type AdapterConfigReader } from '@ift/core/peft'
import * as z from '@ift/core/options'
import type { CausalLM, Tensor } from '@ift/tensor'
import { VirtualTokenHandle } from './handle.js'
import { rowsName, Table, type StoredRows, type RowSource } from './row-source.js'

export interface VirtualTokenOptions {
  readonly virtualTokens: number
}

export const virtualTokenOptions = {
  virtualTokens: z
    .number()
    .int()
    .positive()
    .default(20)
    .describe('Virtual tokens in front of every sequence; they count towards its length.'),
}

/** What a file says of the model, and how wide its rows are. */
export interface RowSizes {
  /** The field `num_attention_heads`; null where the method does not depend on it. */
  readonly heads: number | null
  /** The field `token_dim`. */
  readonly tokenDim: number
  /** Elements of a row of `prompt_embeddings`. */
  readonly width: number
}

/** A method whose files hold the rows that it has made: its options, what makes the rows, and how they enter the model. */
export interface VirtualTokenMethod<O extends VirtualTokenOptions>
  extends Pick<PeftMethod<O>, 'name'>, AdapterConfigReader<O> {
  /** `peft_type` in adapter_config.json. */
  readonly peftType: string
  /** Options that say how rows begin and are made; an adapter has them already. */
  readonly startOptions: readonly (keyof O & string)[]
  /** Fields of adapter_config.json that say so, which an adapter that is trained on keeps. */
  readonly startFields: readonly string[]
  /** Throws IFT_PEFT_OPTIONS for options that contradict each other. Those of an adapter say how it was made, and are not judged. */
  check?(options: O): void
  /** Throws IFT_PEFT_OPTIONS for a model that the method does not fit. */
  checkModel?(model: CausalLM, context: PeftContext): void
  sizes(shape: ModelShape): RowSizes
  /** What makes the rows of a new run. */
  begin(options: O, context: PeftContext, model: CausalLM): RowSource | Promise<RowSource>
  /** What a file holds, where that may be something else than the rows under PEFT's name; null for those. */
  stored?(source: AdapterSource, options: O, context: PeftContext): StoredRows | null
  /** Whether tokens stand where they would without virtual tokens; never when absent. */
  fromZero?(options: O): boolean
  /** How rows enter the model. */
  prefix(options: O, context: PeftContext, rows: () => Tensor): PeftPrefix
  /** Fields of adapter_config.json beside those of all methods of this package. */
  writeConfig(options: O, context: PeftContext): Readonly<Record<string, unknown>>
  /** What made the rows of an adapter and is not in its file, as notes name it; null where nothing is missing. */
  lost?(config: Readonly<Record<string, unknown>>): string | null
  /** Why no weight of the base can hold what it does. */
  readonly unmergeable: string
}

/** Fields that all methods of this package have, and that options do not say. */
const sharedFields = ['num_attention_heads', 'num_layers', 'num_transformer_submodules', 'token_dim']

/** The contract of a method of virtual tokens, in the files of Hugging Face PEFT. */
export function virtualTokenMethod<O extends VirtualTokenOptions>(
  method: VirtualTokenMethod<O>,
): PeftMethod<O> {
  const reader: AdapterConfigReader<O> = {
    ...method,
    fields: { num_virtual_tokens: 'virtualTokens', ...method.fields },
    ignoredFields: [...sharedFields, ...(method.ignoredFields ?? [])],
  }
  const fromAdapterConfig = (config: Readonly<Record<string, unknown>>) => readAdapterConfig(reader, config)
  return {
    name: method.name,
    peftTypes: [method.peftType],
    options: method.options,
    virtualTokens: (options) => {
      const { virtualTokens: tokens } = options
      return { tokens, places: method.fromZero?.(options) === true ? 0 : tokens }
    },
    fromAdapterConfig,
    async attach(model, options, context) {
      const { adapter } = context
      if (adapter) refuseStartOptions(method, options, fromAdapterConfig(adapter.config), adapter)
      else method.check?.(options)
      method.checkModel?.(model, context)
      for (const [, parameter] of model.namedParameters()) parameter.setTrainable(false)
      const stored = (source: AdapterSource) => storedRows(method, source, options, context)
      const rows = adapter ? stored(adapter).rows : await method.begin(options, context, model)
      try {
        for (const [stream, { parameter, start }] of rows.tensors().entries()) {
          // In f32 whatever the model computes in: the rows are few, and rounded once.
          parameter.assign(await startTensor(start, parameter.shape, { ...context, dtype: 'f32' }, stream))
          parameter.setTrainable(true)
        }
      } catch (error) {
        rows.release()
        throw error
      }
      const config = () => ({
        ...sharedConfig(method, options, context),
        ...method.writeConfig(options, context),
      })
      const prefix = (rows: () => Tensor) => method.prefix(options, context, rows)
      return new VirtualTokenHandle({ ...method, ...{ context, rows, stored, prefix, config } })
    },
  }
}

/** An adapter holds rows that were made; how others would be made says nothing about them. */
function refuseStartOptions<O extends VirtualTokenOptions>(
  { name, startOptions }: VirtualTokenMethod<O>,
  options: O,
  made: O,
  { path }: AdapterSource,
): void {
  for (const option of startOptions)
    if (options[option] !== made[option])
      throw new IftError(
        'IFT_PEFT_OPTIONS',
        `peft.${option}: ${path} holds what ${name} made with ${shown(made[option])}, and is trained on as it is; expected that or nothing, found ${shown(options[option])}.`,
        `Leave out peft.${option}. Or start anew, without an adapter.`,
      )
}

const shown = (value: unknown) => (value === undefined ? 'none' : JSON.stringify(value))

function storedRows<O extends VirtualTokenOptions>(
  method: VirtualTokenMethod<O>,
  source: AdapterSource,
  options: O,
  context: PeftContext,
): StoredRows {
  checkConfig(method, source, context)
  const { width } = method.sizes(context.shape)
  const found =
    method.stored?.(source, options, context) ??
    ({
      rows: new Table(options.virtualTokens, width, { kind: 'constant', value: 0 }),
      names: new Map([[rowsName, rowsName]]),
    } satisfies StoredRows)
  checkNames(source, found.names)
  const shapes = new Map(found.rows.tensors().map(({ name, parameter }) => [name, parameter.shape]))
  for (const [inFile, name] of found.names) checkShape(source, inFile, shapes.get(name)!)
  return found
}

/** What a config says of the model that the adapter was made for. */
function checkConfig<O extends VirtualTokenOptions>(
  method: VirtualTokenMethod<O>,
  { config, path }: AdapterSource,
  { shape }: PeftContext,
): void {
  const { heads, tokenDim } = method.sizes(shape)
  const expected = {
    num_transformer_submodules: 1,
    token_dim: tokenDim,
    ...(heads !== null && { num_attention_heads: heads, num_layers: shape.layers }),
  }
  for (const [field, value] of Object.entries(expected)) {
    const found = config[field]
    if (found !== undefined && found !== null && found !== value)
      throw new IftError(
        'IFT_ADAPTER_CONFIG',
        `${path}: adapter_config.json has ${field} ${JSON.stringify(found)}, expected ${value} for this model.`,
        'Is it an adapter of this model? Name its base: weights.',
      )
  }
}

function checkNames(source: AdapterSource, names: ReadonlyMap<string, string>): void {
  const found = new Set(source.names())
  for (const name of names.keys())
    if (!found.has(name))
      throw new IftError(
        'IFT_ADAPTER_MISSING',
        `${source.path}: tensor "${name}" is missing, found ${[...found].slice(0, 3).join(', ') || 'none'}.`,
        'Is it an adapter of this method? adapter_config.json says which it is.',
      )
  for (const name of found)
    if (!names.has(name))
      throw new IftError(
        'IFT_ADAPTER_UNEXPECTED',
        `${source.path}: tensor "${name}" is no part of this adapter, expected ${[...names.keys()].join(', ')} alone.`,
        'Is it an adapter of this method? adapter_config.json says which it is.',
      )
}

function checkShape(source: AdapterSource, name: string, expected: readonly number[]): void {
  const shape = source.shape(name)
  if (shape.join() !== expected.join())
    throw new IftError(
      'IFT_ADAPTER_SHAPE',
      `${source.path}: tensor "${name}" should be [${expected.join(', ')}], found [${shape.join(', ')}].`,
      'Leave out peft.virtualTokens, which the adapter says. Or is it an adapter of another model?',
    )
}

/** What PEFT writes for every method of virtual tokens. */
function sharedConfig<O extends VirtualTokenOptions>(
  method: VirtualTokenMethod<O>,
  { virtualTokens }: O,
  { baseModel, shape }: PeftContext,
): Record<string, unknown> {
  const { heads, tokenDim } = method.sizes(shape)
  return {
    auto_mapping: null,
    base_model_name_or_path: baseModel,
    inference_mode: true,
    modules_to_save: null,
    num_attention_heads: heads ?? shape.heads,
    num_layers: shape.layers,
    num_transformer_submodules: 1,
    num_virtual_tokens: virtualTokens,
    peft_type: method.peftType,
    revision: null,
    task_type: 'CAUSAL_LM',
    token_dim: tokenDim,
  }
}
