import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { IftError, type QuantFormat } from '@ift/tensor'
import { ggufConfig, ggufGeneration, mapGguf } from '../checkpoint/gguf/index.js'
import { recordFile } from '../checkpoint/save-model.js'
import { openCheckpoint } from '../checkpoint/source.js'
import type { WeightSource } from '../checkpoint/weight-source.js'
import { hubSettings } from '../config/env.js'
import * as z from '../config/options.js'
import type { ResolvedConfig } from '../config/schema.js'
import type { ModelDefinition, ModelShape, PromptTemplate, Tokenizer } from '../contract/index.js'
import { builtinTemplates, createChatTemplate } from '../data/template/index.js'
import { jsonObject, readJson, type Shape } from '../files/read-json.js'
import type { PluginSession } from '../plugin/plugin-session.js'
import { pathOf, resolveSource } from '../source/index.js'
import { adaptersOf } from '../config/adapters.js'
import { baseNotFound, baseOfAdapter } from './base-model.js'
import { checkTokenIds, checkTokenizer } from './check-tokenizer.js'
import { findDefinition, findGgufMapping } from './find-family.js'

/** How frozen weights are to be held; `auto` depends on their file and on the device. */
export type QuantizeOption = NonNullable<ResolvedConfig['quantize']>

/** How frozen weights are held: `blocks` as a GGUF file has them. */
export type Quantize = Exclude<QuantizeOption, 'auto'> | 'blocks'

/** What is recorded of it: weights in blocks are those of the file, as written-out ones are. */
export const recordedQuantize = (quantize: Quantize | QuantizeOption): 'none' | QuantFormat =>
  quantize === 'blocks' || quantize === 'auto' ? 'none' : quantize

/** Record beside an adapter, so that later commands read it as training did. */
export interface AdapterRecord {
  readonly template: string
  /** Absent in a sum of adapters. */
  readonly trainOn?: string
  readonly tokenizer: string
  /** What the base was quantised to; absent in adapters of versions that did not quantise. */
  readonly quantize?: 'none' | QuantFormat | undefined
  /** Ids that the model learned to end its answers with; absent in what older versions wrote. */
  readonly eos_token_id?: readonly number[]
  readonly ift: string
}

/** config.json; its fields are the family's to check. */
const readConfigJson = (path: string): Promise<Record<string, unknown>> =>
  readJson(path, jsonObject, {
    wrong: (problem) =>
      new IftError(
        'IFT_MODEL_CONFIG',
        `${path}: ${problem}.`,
        'Take the file from where the model was published.',
      ),
  })

/** Of other versions, or of another program, fields may be there that nobody here knows. */
const recordShape = z.looseObject({
  // A name, never a path: the file may come from anywhere, and a path would lead to a program.
  template: z
    .string()
    .check(z.regex(/^[^/\\]+$/, 'expected the name of a template'))
    .optional(),
  quantize: z.enum(['none', 'nf4', 'int8']).optional(),
  eos_token_id: z.array(z.int().check(z.nonnegative())).optional(),
})

/** What is recorded beside an adapter or a model; null where nothing is. */
export async function readRecord(dir: string): Promise<Partial<AdapterRecord> | null> {
  const path = join(dir, recordFile)
  if (!existsSync(path)) return null
  return readJson(path, recordShape as Shape<Partial<AdapterRecord>>, {
    hint: 'It was written beside the weights when they were trained: copy it again, or delete it and name the template.',
  })
}

/** The tokenizer of the first of `places` that has one. */
async function openTokenizer(
  session: PluginSession,
  places: readonly string[],
  preferred: string,
): Promise<Tokenizer> {
  const { added } = session.hooks.tokenizer
  // tokenizer.json first: it is complete, and files beside it may be its sources. Then in the order of registration.
  const ordered = [...new Set(['tokenizer.json', preferred, ...added])].filter((name) => added.includes(name))
  for (const place of places)
    for (const name of ordered) {
      const definition = await session.tokenizer(name)
      if (await definition.detect(place)) return definition.load(place)
    }
  throw new IftError(
    'IFT_TOKENIZER_NOT_FOUND',
    `${places.join(' and ')} hold no tokenizer (looked for: ${ordered.join(', ') || 'no tokenizer plugin is in use'}).`,
    'Put tokenizer.json, tokenizer.model or vocab.json + merges.txt there, or set tokenizer: to another folder, or to a GGUF file.',
  )
}

/** A template by its name; IFT_PLUGIN_NOT_FOUND for one that nobody has. That of a checkpoint, `chat`, needs its tokenizer. */
export async function findTemplate(session: PluginSession, name: string): Promise<PromptTemplate> {
  const builtin = builtinTemplates.find((template) => template.name === name)
  const found = session.hooks.template.find(name) ?? builtin
  if (found) return found
  if (session.provides('template', name)) return session.template(name)
  const names = [...session.hooks.template.names(), ...builtinTemplates.map(({ name }) => name), 'chat']
  throw session.notFound('template', name, names)
}

const chooseTemplate = async (
  session: PluginSession,
  name: string,
  tokenizer: Tokenizer,
): Promise<PromptTemplate> => (name === 'chat' ? createChatTemplate(tokenizer) : findTemplate(session, name))

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

/** Everything about a model but its weights: what data is tokenised and shown with. */
export interface ModelFiles {
  readonly definition: ModelDefinition
  readonly json: Readonly<Record<string, unknown>>
  /** The definition's own config. */
  readonly parsed: unknown
  readonly shape: ModelShape
  readonly tokenizer: Tokenizer
  readonly template: PromptTemplate
  /** The base model as the config, or else the adapter, names it; and its folder. */
  readonly weights: string
  readonly dir: string
  /** Null when the model starts from random values. */
  readonly checkpoint: WeightSource | null
  readonly adapterDir: string | null
  /** Folders of several adapters by name; empty where the config names one, or none. */
  readonly adapterDirs: ReadonlyMap<string, string>
  /** generation_config.json as published. */
  readonly generationConfig: Readonly<Record<string, unknown>> | undefined
  /** Of the config, or what the adapter was trained on. */
  readonly quantize: QuantizeOption
  /** Ids that the record of the adapter or model says its answers end with. */
  readonly learned: readonly number[]
}

/** The folder of a model or an adapter that a config or a call names. */
export const locate = (session: PluginSession, spec: string, kind: 'model' | 'adapter') =>
  resolveSource(spec, { kind, rootDir: session.rootDir, ...hubSettings() })

/** Folders of the several adapters of a config, by name. */
export async function adapterDirsOf(
  session: PluginSession,
  config: ResolvedConfig,
): Promise<ReadonlyMap<string, string>> {
  const dirs = new Map<string, string>()
  for (const [name, spec] of adaptersOf(config) ?? [])
    dirs.set(name, (await locate(session, spec, 'adapter')).dir)
  return dirs
}

/** Finds family, tokenizer and template of the model that a config names, and opens its files. */
export async function openModelFiles(session: PluginSession, config: ResolvedConfig): Promise<ModelFiles> {
  const adapterDir =
    typeof config.adapter === 'string' ? (await locate(session, config.adapter, 'adapter')).dir : null
  const adapterDirs = await adapterDirsOf(session, config)
  const all = adapterDir === null ? adapterDirs : new Map([['', adapterDir]])
  const weights =
    config.weights ??
    (await agreed(
      all,
      (dir) => baseOfAdapter(dir, session.rootDir),
      'was trained on the base',
      '--weights DIR',
    )) ??
    null
  if (weights === null)
    throw new IftError(
      'IFT_CONFIG_INVALID',
      'No model is named.',
      'Set weights: to a model folder or a hub id, or pass --weights. An adapter (--adapter DIR) names its base itself.',
    )
  const source = await locate(session, weights, 'model').catch((error: unknown) => {
    throw config.weights === undefined ? baseNotFound(error, [...all.values()][0]!) : error
  })
  let checkpoint = config.initialize ? null : await openCheckpoint(pathOf(source, weights))
  const records = new Map<string, Partial<AdapterRecord> | null>()
  for (const [name, dir] of all) records.set(name, await readRecord(dir))

  let json: Record<string, unknown>
  if (checkpoint?.format === 'gguf') {
    const architecture = String(checkpoint.metadata.get('general.architecture'))
    const mapping = await findGgufMapping(session, config.model, architecture, checkpoint.path)
    json = await ggufConfig(checkpoint, mapping)
    checkpoint = mapGguf(checkpoint, mapping, json)
  } else {
    const path = join(source.dir, 'config.json')
    if (!existsSync(path))
      throw new IftError('IFT_SOURCE_NOT_FOUND', `${source.dir} has no config.json.`, 'Is it a model folder?')
    json = await readConfigJson(path)
  }
  const definition = await findDefinition(session, config.model, json, source.dir)
  const parsed: unknown = definition.parseConfig(json)
  const shape = definition.shape(parsed)
  const tokenizer = await openTokenizer(
    session,
    config.tokenizer === undefined
      ? // Files beside a GGUF are the original's and win over what is inside.
        [source.dir, ...(checkpoint?.format === 'gguf' ? [checkpoint.path] : [])]
      : [pathOf(await locate(session, config.tokenizer, 'model'), config.tokenizer)],
    definition.tokenizer,
  )
  checkTokenizer(tokenizer, shape, source.dir, config.tokenizer !== undefined)
  checkTokenIds(tokenizer, definition.tokenIds?.(parsed) ?? [], source.dir)
  const generationPath = join(source.dir, 'generation_config.json')
  const generationConfig = existsSync(generationPath)
    ? await readJson(generationPath, jsonObject)
    : checkpoint?.format === 'gguf'
      ? ggufGeneration(checkpoint)
      : undefined
  const recorded = [...records.values()].filter((record) => record !== null)
  const trained = recorded.length ? recorded : [(await readRecord(source.dir)) ?? {}]
  const own = { name: weights, json, generation: generationConfig ?? {}, tokenizer }
  const name =
    config.template ??
    (recorded.length
      ? await agreed(
          records,
          (record) => record?.template,
          'was trained with the template',
          '--template NAME',
        )
      : trained[0]!.template) ??
    (tokenizer.chatTemplate === null ? defaultTemplate(definition, own) : 'chat')
  const template = await chooseTemplate(session, name, tokenizer)
  const recordedFormat = await agreed(
    records,
    (record) => record && (record.quantize ?? 'none'),
    'was trained on a base with quantize',
    '--quantize FORMAT',
  )
  // Trained on the weights of the file, in whatever form.
  const quantize = config.quantize ?? (recordedFormat === 'none' ? 'auto' : recordedFormat) ?? 'auto'
  return {
    definition,
    json,
    parsed,
    shape,
    tokenizer,
    template,
    weights,
    dir: source.dir,
    checkpoint,
    adapterDir,
    adapterDirs,
    generationConfig,
    quantize,
    learned: [...new Set(trained.flatMap(({ eos_token_id }) => eos_token_id ?? []))],
  }
}

/** What adapters over one base have in common, of those that say it. IFT_ADAPTERS_BASE, naming two of them, where they differ. */
async function agreed<T, V extends string>(
  adapters: ReadonlyMap<string, T>,
  valueOf: (adapter: T) => V | null | undefined | Promise<V>,
  what: string,
  flag: string,
): Promise<V | undefined> {
  let first: { readonly name: string; readonly value: V } | undefined
  for (const [name, adapter] of adapters) {
    const value = await valueOf(adapter)
    if (value === null || value === undefined) continue
    if (first && first.value !== value)
      throw new IftError(
        'IFT_ADAPTERS_BASE',
        `The adapters do not fit one model: "${first.name}" ${what} ${first.value}, "${name}" ${what} ${value}.`,
        `Say which one holds for all of them: ${flag}. Or use one adapter alone.`,
      )
    first ??= { name, value }
  }
  return first?.value
}
