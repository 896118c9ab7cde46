import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { IftError, quantizeLinears, type Backend, type CausalLM, type FloatDType } from '@ift/tensor'
import { openAdapter } from '../checkpoint/adapter.js'
import { recordFile } from '../checkpoint/model-files.js'
import { openCheckpoint } from '../checkpoint/source.js'
import type { WeightSource } from '../checkpoint/weight-source.js'
import { initializeWeights, loadWeights } from '../checkpoint/weights.js'
import { ggufConfig, mapGguf } from '../checkpoint/gguf.js'
import { hubSettings } from '../config/env.js'
import type { ResolvedConfig } from '../config/schema.js'
import { withRecipe } from '../config/recipe.js'
import { check } from '../config/validate.js'
import type {
  AdapterSource,
  ModelDefinition,
  ModelShape,
  PeftContext,
  PeftHandle,
  PeftMethod,
  PromptTemplate,
  Tokenizer,
  TrainableParameter,
} from '../contract/index.js'
import type { PluginSession } from '../plugin/session.js'
import { pathOf, resolveSource } from '../source/index.js'
import { builtinTemplates, createChatTemplate } from '../data/template/index.js'
import { checkTokenIds, checkTokenizer } from './check-tokenizer.js'
import { endTokens } from './end-tokens.js'
import { findDefinition, findGgufMapping } from './find-family.js'
import { version } from '../version.js'
import { layoutOf, ModelContents } from './identity.js'
import { chooseDtype } from './open-backend.js'

/** How frozen weights are held. */
export type Quantize = NonNullable<ResolvedConfig['quantize']>

/** What is written beside an adapter so that everything after training reads it the way training did. */
export interface AdapterRecord {
  readonly template: string
  readonly trainOn: string
  readonly tokenizer: string
  /** How the base was held; absent in adapters of versions that did not quantise. */
  readonly quantize?: Quantize | undefined
  /** Ids that the model learned to end its answers with; absent in what older versions wrote. */
  readonly eos_token_id?: readonly number[]
  readonly ift: string
}

/** What is written beside a whole model: the template that it was trained with. */
export const modelRecord = ({
  template,
  learned,
}: Pick<OpenModel, 'template' | 'learned'>): Partial<AdapterRecord> => ({
  template: template.name,
  eos_token_id: learned,
  ift: version,
})

/** A model ready to run: weights on the device, tokenizer, template, method. */
export interface OpenModel {
  readonly definition: ModelDefinition
  /** config.json as published. */
  readonly json: Readonly<Record<string, unknown>>
  /** generation_config.json as it is to be saved: as published, with the ids that end answers; absent when none is needed. */
  readonly generationConfig: Readonly<Record<string, unknown>> | undefined
  readonly shape: ModelShape
  readonly model: CausalLM
  readonly backend: Backend
  readonly dtype: FloatDType
  /** How the base weights of linear layers, the head apart, are held. */
  readonly quantize: Quantize
  readonly tokenizer: Tokenizer
  readonly template: PromptTemplate
  /** The config with the family's recipe for what the user left open, and the fields that came from the recipe. */
  readonly config: ResolvedConfig
  readonly recipe: readonly string[]
  /** Null when no method is attached. */
  readonly peft: PeftHandle | null
  readonly trainable: readonly TrainableParameter[]
  /** Name in the checkpoint of each parameter; empty when the model starts from random values. */
  readonly names: ReadonlyMap<string, string>
  /** Folder of the weights, and how the config wrote it. */
  readonly dir: string
  readonly name: string
  /** Ids that end a generation, and those of them that answers are ended with in training. */
  readonly ends: ReadonlySet<number>
  readonly learned: readonly number[]
  /** Names, types and places of all tensors: what can be told of the weights without reading them. */
  readonly fingerprint: string
  /** A hash of some of the values of the weights; empty when the model starts from random ones. */
  readonly sampleWeights: () => Promise<string>
  /** The files of the weights and of the adapter, open while the model is trained; null otherwise. */
  readonly contents: ModelContents | null
  release(): void
}

export interface OpenOptions {
  /** Attach the method for training; otherwise only an adapter that the config names. */
  readonly training: boolean
}

async function readJson(path: string): Promise<Record<string, unknown>> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>
  } catch (cause) {
    throw new IftError('IFT_FILE_CORRUPT', `${path} is not JSON: ${(cause as Error).message}`, undefined, {
      cause,
    })
  }
}

/** The tokenizer of the first of `places` that has one. */
async function openTokenizer(
  session: PluginSession,
  places: readonly string[],
  preferred: string,
): Promise<Tokenizer> {
  const { added } = session.hooks.tokenizer
  // What a tokenizer.json says is complete, files beside it may be what it was made from; then as they were registered.
  const ordered = [...new Set(['tokenizer.json', preferred, ...added])].filter((name) => added.includes(name))
  for (const place of places)
    for (const name of ordered) {
      const definition = await session.tokenizer(name)
      if (await definition.detect(place)) return definition.load(place)
    }
  throw new IftError(
    'IFT_TOKENIZER_NOT_FOUND',
    `${places.join(' and ')} hold no tokenizer (looked for: ${ordered.join(', ') || 'no tokenizer plugin is in use'}).`,
    'Put tokenizer.json, tokenizer.model or vocab.json + merges.txt there, or set tokenizer: to another folder.',
  )
}

async function chooseTemplate(
  session: PluginSession,
  name: string,
  tokenizer: Tokenizer,
): Promise<PromptTemplate> {
  if (name === 'chat') return createChatTemplate(tokenizer)
  return (
    session.hooks.template.find(name) ??
    builtinTemplates.find((template) => template.name === name) ??
    session.template(name)
  )
}

/** The template of a checkpoint that has none of its own. */
function defaultTemplate(
  definition: ModelDefinition,
  checkpoint: {
    readonly name: string
    readonly json: Readonly<Record<string, unknown>>
    readonly generation: Readonly<Record<string, unknown>>
    readonly tokenizer: Tokenizer
  },
): string {
  if (!definition.templateOf) return definition.template
  const { name, json, generation, tokenizer } = checkpoint
  const own = json['_name_or_path']
  const names = typeof own === 'string' ? [name, own] : [name]
  return definition.templateOf({ json, generation, tokenizer, names })
}

/** The method that reads a kind of adapter. */
async function methodFor(session: PluginSession, source: AdapterSource): Promise<PeftMethod> {
  const type = String(source.config['peft_type'])
  const names = {
    LORA: 'lora',
    ADALORA: 'adalora',
    IA3: 'ia3',
    PREFIX_TUNING: 'prefix',
    P_TUNING: 'p-tuning',
    PROMPT_TUNING: 'prompt',
  }
  const known = session.hooks.peft.names().map((name) => session.hooks.peft.find(name))
  const used = known.find((method) => method?.peftTypes.includes(type))
  if (used) return used
  const name = (names as Record<string, string>)[type]
  if (name === undefined)
    throw new IftError(
      'IFT_ADAPTER_CONFIG',
      `${source.path}: peft_type "${type}" is unknown.`,
      `Known: ${Object.keys(names).join(', ')}`,
    )
  return session.peft(name)
}

/** Everything about a model but its weights: what data is tokenised and shown with. */
export interface ModelFiles {
  readonly definition: ModelDefinition
  readonly json: Readonly<Record<string, unknown>>
  /** The definition's own config. */
  readonly parsed: unknown
  readonly shape: ModelShape
  readonly tokenizer: Tokenizer
  readonly template: PromptTemplate
  readonly dir: string
  /** Null when the model starts from random values. */
  readonly checkpoint: WeightSource | null
  readonly adapterDir: string | null
  /** generation_config.json as published. */
  readonly generationConfig: Readonly<Record<string, unknown>> | undefined
  /** Of the config, or what the adapter was trained on. */
  readonly quantize: Quantize
  /** Ids that the record of the adapter or model says its answers end with. */
  readonly learned: readonly number[]
}

/** Finds family, tokenizer and template of the model that a config names, and opens its files. */
export async function openModelFiles(session: PluginSession, config: ResolvedConfig): Promise<ModelFiles> {
  if (config.weights === undefined)
    throw new IftError(
      'IFT_CONFIG_INVALID',
      'No model is named.',
      'Set weights: to a model folder or a hub id, or pass --weights.',
    )
  const hub = hubSettings()
  const locate = (spec: string, kind: 'model' | 'adapter') =>
    resolveSource(spec, { kind, rootDir: session.rootDir, ...hub })
  const source = await locate(config.weights, 'model')
  let checkpoint = config.initialize ? null : await openCheckpoint(pathOf(source, config.weights))
  const adapterDir = config.adapter === undefined ? null : (await locate(config.adapter, 'adapter')).dir
  const record = adapterDir === null ? null : await readRecord(adapterDir)

  let json: Record<string, unknown>
  if (checkpoint?.format === 'gguf') {
    const architecture = String(checkpoint.metadata.get('general.architecture'))
    const mapping = await findGgufMapping(session, config.model, architecture, checkpoint.path)
    json = ggufConfig(checkpoint, mapping)
    checkpoint = mapGguf(checkpoint, mapping)
  } else {
    const path = join(source.dir, 'config.json')
    if (!existsSync(path))
      throw new IftError('IFT_SOURCE_NOT_FOUND', `${source.dir} has no config.json.`, 'Is it a model folder?')
    json = await readJson(path)
  }
  const definition = await findDefinition(session, config.model, json, source.dir)
  const parsed: unknown = definition.parseConfig(json)
  const shape = definition.shape(parsed)
  const tokenizer = await openTokenizer(
    session,
    config.tokenizer === undefined
      ? // Files beside a GGUF are the original's and win over what is inside.
        [source.dir, ...(checkpoint?.format === 'gguf' ? [checkpoint.path] : [])]
      : [pathOf(await locate(config.tokenizer, 'model'), config.tokenizer)],
    definition.tokenizer,
  )
  checkTokenizer(tokenizer, shape, source.dir, config.tokenizer !== undefined)
  checkTokenIds(tokenizer, definition.tokenIds?.(parsed) ?? [], source.dir)
  const generationPath = join(source.dir, 'generation_config.json')
  const generationConfig = existsSync(generationPath) ? await readJson(generationPath) : undefined
  const trained = record ?? (await readRecord(source.dir))
  const own = { name: config.weights, json, generation: generationConfig ?? {}, tokenizer }
  const name =
    config.template ??
    trained?.template ??
    (tokenizer.chatTemplate === null ? defaultTemplate(definition, own) : 'chat')
  const template = await chooseTemplate(session, name, tokenizer)
  const quantize = config.quantize ?? record?.quantize ?? 'none'
  return {
    definition,
    json,
    parsed,
    shape,
    tokenizer,
    template,
    dir: source.dir,
    checkpoint,
    adapterDir,
    generationConfig,
    quantize,
    learned: trained?.eos_token_id ?? [],
  }
}

/** The method of the config attached for training, or the adapter it names, or nothing. */
async function attachMethod(
  session: PluginSession,
  config: ResolvedConfig,
  adapterDir: string | null,
  model: CausalLM,
  context: PeftContext,
  training: boolean,
): Promise<PeftHandle | null> {
  const { method: methodName, ...options } = config.peft
  if (adapterDir !== null) {
    const adapter = await openAdapter(adapterDir)
    const method = await methodFor(session, adapter)
    const merged = { ...(method.fromAdapterConfig(adapter.config) as object), ...(training ? options : {}) }
    const checked: unknown = check(method.options, merged, 'The adapter with the options of peft', 'peft')
    const peft = await method.attach(model, checked, { ...context, adapter })
    await peft.load(adapter)
    return peft
  }
  if (!training || methodName === 'none') return null
  const method = await session.peft(methodName)
  return method.attach(model, check(method.options, options, 'The config', 'peft'), context)
}

/** Loads the model of a config, attaches what the config attaches, and leaves it ready to run. */
export async function openModel(
  session: PluginSession,
  config: ResolvedConfig,
  backend: Backend,
  options: OpenOptions,
): Promise<OpenModel> {
  const files = await openModelFiles(session, config)
  const contents = options.training ? await ModelContents.of(files) : null
  try {
    return await loadModel(session, config, backend, options, files, contents)
  } catch (error) {
    contents?.close()
    throw error
  }
}

async function loadModel(
  session: PluginSession,
  config: ResolvedConfig,
  backend: Backend,
  options: OpenOptions,
  files: ModelFiles,
  contents: ModelContents | null,
): Promise<OpenModel> {
  const { definition, parsed, shape, tokenizer, checkpoint } = files
  const dtype = chooseDtype(config, backend)
  const { quantize } = files
  if (quantize !== 'none' && options.training && config.peft.method === 'none' && files.adapterDir === null)
    throw new IftError(
      'IFT_QUANTIZED',
      `quantize: ${quantize} holds the weights in steps that training cannot move, and peft.method: none trains them.`,
      'Train an adapter: peft: { method: lora }. Or leave out quantize.',
    )
  const model = definition.build(parsed)
  if (quantize !== 'none') quantizeLinears(model, quantize, [model.lmHead])
  let names: ReadonlyMap<string, string> = new Map()
  if (checkpoint) names = await loadWeights(model, definition, parsed, checkpoint, { backend, dtype })
  else await initializeWeights(model, definition, parsed, { backend, dtype, seed: config.train.seed })
  await session.hooks.modelLoaded.promise(model, config)

  const name = config.weights!
  const context = { definition, shape, backend, dtype, seed: config.train.seed, baseModel: name }
  const { config: used, taken } = withRecipe(config, options.training ? definition.recipe : undefined)
  const peft = await attachMethod(session, used, files.adapterDir, model, context, options.training)
  const trainable = !options.training ? [] : peft ? [...peft.trainable()] : trainWhole(model)
  peft?.setTraining(false)
  return {
    definition,
    json: files.json,
    shape,
    model,
    backend,
    dtype,
    quantize,
    tokenizer,
    template: files.template,
    config: used,
    recipe: taken,
    peft,
    trainable,
    names,
    dir: files.dir,
    name,
    ...endTokens(files, tokenizer, files.template, files.learned),
    fingerprint: checkpoint ? layoutOf(checkpoint) : 'initialized',
    sampleWeights: () => (checkpoint ? checkpoint.sample() : Promise.resolve('')),
    contents,
    release() {
      contents?.close()
      peft?.release()
      model.release()
    },
  }
}

/** Full-parameter training: every parameter, decay on matrices only. */
function trainWhole(model: CausalLM): TrainableParameter[] {
  const trainable: TrainableParameter[] = []
  for (const [name, parameter] of model.namedParameters()) {
    parameter.setTrainable(true)
    trainable.push({ name, parameter, lrScale: 1, decay: parameter.shape.length > 1 })
  }
  return trainable
}

async function readRecord(dir: string): Promise<AdapterRecord | null> {
  const path = join(dir, recordFile)
  return existsSync(path) ? ((await readJson(path)) as unknown as AdapterRecord) : null
}
