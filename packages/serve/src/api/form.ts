import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { configJsonSchema, knownDatasets, writtenOf, type Ift } from '@ift/core'
import { toJSONSchema } from '@ift/core/options'
import { fieldTexts, sectionTitles } from './form-text.js'
import { documentOf, fields, shortName } from './run-documents.js'
import type { RunFolders } from './run-folders.js'
import type { SchemaField, SchemaReply, SchemaSection } from './types.js'

interface Node {
  readonly type?: string
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly anyOf?: readonly Node[]
  readonly default?: unknown
  readonly description?: string
  readonly properties?: Readonly<Record<string, Node>>
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
  readonly exclusiveMaximum?: number
}

type SectionKey = SchemaSection['key']

/** Options of the config that a run has and that are its own, by section, in the order of the form. */
const layout: Readonly<Record<SectionKey, readonly string[]>> = {
  model: [
    'weights',
    'quantize',
    'template',
    'adapter',
    'model',
    'device',
    'dtype',
    'threads',
    'tokenizer',
    'initialize',
  ],
  method: ['peft.method'],
  data: ['data', 'maxLength', 'truncation', 'trainOn', 'mix', 'dedup', 'decontaminate'],
  training: [],
  validation: [
    'validation.size',
    'validation.data',
    'train.evalEvery',
    'train.earlyStopping',
    'train.loadBestAtEnd',
    'validation.seed',
  ],
  samples: [],
  output: ['train.saveEvery', 'train.keepCheckpoints', 'train.logEvery'],
}

/** Those that are shown at once. */
const common = new Set([
  ...[
    'weights',
    'quantize',
    'template',
    'peft.method',
    'peft.r',
    'peft.alpha',
    'peft.dropout',
    'peft.targetModules',
  ],
  ...[
    'data',
    'maxLength',
    'truncation',
    'trainOn',
    'dedup',
    'train.epochs',
    'train.maxSteps',
    'train.batchSize',
  ],
  ...['train.learningRate', 'train.schedule', 'train.warmupRatio', 'train.optimizer', 'train.seed'],
  ...['validation.size', 'train.evalEvery', 'train.samples.prompts', 'train.samples.every'],
  ...['train.samples.maxNewTokens', 'train.saveEvery'],
])

/** Options of the config as leaves: a path and its node. */
function leaves(node: Node, path = ''): (readonly [path: string, node: Node])[] {
  return Object.entries(node.properties ?? {}).flatMap(([key, child]) => {
    const at = path === '' ? key : `${path}.${key}`
    return child.properties && at !== 'peft' ? leaves(child, at) : [[at, child] as const]
  })
}

const alternatives = (node: Node): readonly Node[] => (node.anyOf ? node.anyOf.flatMap(alternatives) : [node])

function kindOf(nodes: readonly Node[]): SchemaField['kind'] {
  const types = new Set(nodes.map(({ enum: values, type }) => (values ? 'choice' : type)))
  const [only] = types.size === 1 ? [...types] : []
  if (only === 'choice') return 'choice'
  if (only === 'boolean') return 'switch'
  if (only === 'number' || only === 'integer') return only
  if (only === 'string') return 'text'
  const isText = nodes.every(({ type, enum: values }) => type === 'string' || type === 'array' || values)
  return isText && types.has('array') ? 'list' : 'json'
}

const bound = (value: number | undefined) =>
  value === undefined || Math.abs(value) === Number.MAX_SAFE_INTEGER ? null : value

/** One option as a field of the form. */
export function fieldOf(path: string, node: Node, isRequired = false): SchemaField {
  const nodes = alternatives(node)
  const [numbers] = nodes.filter(({ type }) => type === 'number' || type === 'integer')
  const [en, zh, help] = fieldTexts[path] ?? [path, path, node.description ?? '']
  const below = numbers?.exclusiveMaximum
  const above = numbers?.exclusiveMinimum
  return {
    path,
    label: { en, zh },
    help: { en: node.description ?? '', zh: help },
    kind: path === 'data' ? 'list' : kindOf(nodes),
    choices: nodes.flatMap(({ enum: values }) => (values ?? []).map(String)),
    default: node.default ?? null,
    min: bound(above ?? numbers?.minimum),
    max: bound(below ?? numbers?.maximum),
    above: above !== undefined,
    below: below !== undefined,
    common: common.has(path),
    optional: !isRequired,
  }
}

/** Sections of the form, from the schema of the config. */
export function formSections(methods: readonly string[]): SchemaSection[] {
  const all = new Map(leaves(configJsonSchema()))
  const placed = new Set(Object.values(layout).flat())
  const rest = (prefix: string) =>
    [...all.keys()].filter((path) => path.startsWith(prefix) && !placed.has(path))
  const samples = rest('train.samples.')
  const training = rest('train.').filter((path) => !samples.includes(path))
  const paths: Readonly<Record<SectionKey, readonly string[]>> = { ...layout, training, samples }
  const method: Node = {
    type: 'string',
    enum: methods,
    default: 'lora',
    description: all.get('peft')!.description!,
  }
  return (Object.keys(layout) as SectionKey[]).map((key) => ({
    key,
    title: { en: sectionTitles[key][0], zh: sectionTitles[key][1] },
    fields: paths[key].map((path) => fieldOf(path, path === 'peft.method' ? method : all.get(path)!)),
  }))
}

/** Methods that can be chosen, with the fields of their options. */
async function methodsOf(ift: Ift): Promise<SchemaReply['methods']> {
  const found: SchemaReply['methods'][number][] = []
  for (const name of ift.names('peft'))
    try {
      const { options } = await ift.peft(name)
      const node = toJSONSchema(options, { io: 'input', unrepresentable: 'any' }) as Node
      const fields = leaves(node, 'peft').map(([path, child]) => fieldOf(path, child))
      found.push({ name, description: '', fields })
    } catch {
      // A package that cannot be loaded offers nothing; a run that names it says why.
    }
  found.push({ name: 'none', description: 'Trains all parameters.', fields: [] })
  return found
}

/** Folders of the working folder that hold a model, two levels down. */
function modelFolders(rootDir: string): string[] {
  const isModel = (dir: string) =>
    existsSync(join(rootDir, dir, 'config.json')) && existsSync(join(rootDir, dir, 'tokenizer.json'))
  const inside = (dir: string): string[] => {
    try {
      return readdirSync(join(rootDir, dir), { withFileTypes: true })
        .filter((entry) => entry.isDirectory() && !/^(\.|node_modules$)/.test(entry.name))
        .slice(0, 200)
        .map(({ name }) => (dir === '' ? name : `${dir}/${name}`))
    } catch {
      return []
    }
  }
  const first = inside('')
  return [...first, ...first.flatMap(inside)].filter(isModel).map((dir) => `./${dir}`)
}

/** Configs of runs; of a folder that cannot be read there is none. */
const runConfigs = (folders: RunFolders) =>
  folders.list().places.flatMap(({ dir, name }) => {
    try {
      return [{ name, config: fields(documentOf(join(dir, 'manifest.json'))?.['config']) }]
    } catch {
      return []
    }
  })

/** The config of the working folder as it is written, without what is code. */
function configFile(ift: Ift, folders: RunFolders): SchemaReply['config'] {
  if (ift.configPath === null) return null
  const { plugins: _, ...written } = fields(writtenOf(ift.config))
  return { path: folders.show(ift.configPath), written }
}

/** All that the form needs to be drawn. */
export async function schemaReply(ift: Ift, folders: RunFolders): Promise<SchemaReply> {
  const methods = await methodsOf(ift)
  const weights = new Map<string, string | null>()
  const add = (value: unknown, detail: string | null) => {
    if (typeof value === 'string' && value !== '' && !weights.has(value)) weights.set(value, detail)
  }
  add(ift.config.weights, 'ift.config')
  for (const { config, name } of runConfigs(folders)) add(config['weights'], name)
  for (const dir of modelFolders(ift.rootDir)) add(dir, null)
  return {
    sections: formSections(methods.map(({ name }) => name)),
    methods,
    config: configFile(ift, folders),
    weights: [...weights]
      .slice(0, 200)
      .map(([value, detail]) => ({ value, title: shortName(value), detail })),
    data: knownDatasets(ift).map(({ name, title, count, tags, package: of, installed }) => ({
      name,
      title: title ?? name,
      rows: count,
      tags: tagsOf(tags),
      package: installed ? null : of,
    })),
  }
}

/** Tags of a data set as texts, several of a kind with commas. */
export const tagsOf = (tags: object | null): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(tags ?? {}).map(([kind, values]) => [kind, [values].flat().map(String).join(', ')]),
  )
