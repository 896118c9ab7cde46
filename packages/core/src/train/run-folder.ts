import { existsSync } from 'node:fs'
import { mkdir, readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { IftError } from '@ift/tensor'
import * as z from '../config/options.js'
import type { MixtureRow } from '../data/mixture/index.js'
import { removeLeftovers, writeFileAtomic } from '../files/atomic.js'
import { readFailed, writeFailed } from '../files/errors.js'
import { readJson, type Shape } from '../files/read-json.js'

/** Inputs of a run besides its config and data: sha256 of contents, or names. */
export interface RunIdentity {
  readonly 'config.json': string
  readonly 'generation_config.json': string
  readonly tokenizer: string
  readonly template: string
  readonly dtype: string
  readonly quantize: string
  /** Contents of every file of the weights; known some steps after the start. */
  readonly weights?: string
  /** Contents of the adapter that the run started from. */
  readonly adapter?: string
}

/** Facts that make a run repeatable; written at its start and into each checkpoint, compared at a resume. */
export interface Manifest {
  readonly ift: string
  readonly node: string
  readonly started: string
  readonly device: string
  /** Name of the model family; absent in what older versions wrote. */
  readonly family?: string
  /** The config with every default. */
  readonly config: Readonly<Record<string, unknown>>
  /** Fields of the config that came from the family's recipe, with their values. */
  readonly recipe?: readonly string[]
  /** sha256 of everything that decides the training samples. */
  readonly dataHash: string
  /** The same of each set, by name; absent in what older versions wrote. */
  readonly sources?: Readonly<Record<string, string>>
  /** Rows that gave no sample and were passed over in the order of the run; known at its end. */
  readonly passedOver?: number
  /** What the run takes of each dataset, by the names that the config's led to; absent in what older versions wrote. */
  readonly mixture?: readonly MixtureRow[]
  /** Licences of the datasets of packages, by name; absent in what older versions wrote. */
  readonly licenses?: Readonly<Record<string, string>>
  readonly identity: RunIdentity
  /** Plugins in use. */
  readonly plugins: readonly string[]
  /** Versions of the packages that names in the config lead to. */
  readonly packages: Readonly<Record<string, string>>
}

/** What a resume relies on; older versions wrote less. */
const manifestShape = z.looseObject({
  ift: z.string(),
  config: z.record(z.string(), z.unknown()),
  dataHash: z.string(),
  recipe: z.array(z.string()).optional(),
  identity: z.record(z.string(), z.string()).optional(),
  packages: z.record(z.string(), z.string()).optional(),
})

/** Reads what `writeManifest` or a checkpoint wrote. */
export const readManifest = (path: string): Promise<Manifest> =>
  readJson(path, manifestShape as unknown as Shape<Manifest>, {
    hint: 'Start a new run folder, or resume from an earlier checkpoint.',
  })

/** Options that may differ between a run and its resumption because no weight depends on them. */
const free = new Set([
  'output',
  'threads',
  'ranks',
  'cache',
  'device',
  'generate',
  'deterministic',
  'evaluate',
  'plugins',
  '$schema',
  'train.evalEvery',
  'train.saveEvery',
  'train.keepCheckpoints',
  'train.logEvery',
  'train.samples',
  'train.earlyStopping',
  'train.loadBestAtEnd',
  'train.startAtOnce',
  'train.recompute',
  'train.memory',
])

function flatten(value: unknown, path: string, out: Map<string, string>): void {
  if (free.has(path)) return
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    for (const [key, child] of Object.entries(value)) flatten(child, path ? `${path}.${key}` : key, out)
  else if (value !== undefined) out.set(path, JSON.stringify(value))
}

/** Options of a config that affect the result of a run: the JSON of each field by its path. */
export function decisive(config: Readonly<Record<string, unknown>>): Record<string, string> {
  const fields = new Map<string, string>()
  flatten(config, '', fields)
  return Object.fromEntries(fields)
}

/** Names of the parts of an identity in messages. */
const subjects: Readonly<Record<string, string>> = {
  weights: 'the base model is not the same',
  adapter: 'the adapter to start from is not the same',
  tokenizer: 'the tokenizer is not the same',
  template: 'the prompt template is not the same',
}

/** A recorded config in today's form: before optimizers had names, the options of AdamW stood in `train`. */
function withOptimizer(config: Manifest['config']): Manifest['config'] {
  const train = config['train'] as Record<string, unknown> | undefined
  if (train === undefined || 'optimizer' in train) return config
  const { beta1, beta2, epsilon, ...rest } = train
  return { ...config, train: { ...rest, optimizer: { name: 'adamw', beta1, beta2, epsilon } } }
}

/** Differences between two identities; a missing part equals none. */
function differencesOf(before: Partial<RunIdentity>, now: RunIdentity): string[] {
  const [old, current] = [before, now].map((identity) => new Map<string, string>(Object.entries(identity)))
  const short = (value: string | undefined) =>
    value === undefined
      ? 'not recorded'
      : /^[0-9a-f]{64}$/.test(value)
        ? `sha256 ${value.slice(0, 12)}…`
        : value
  return [...current!].flatMap(([name, value]) => {
    if (old!.get(name) === value) return []
    const subject = subjects[name]
    const values = `was ${short(old!.get(name))}, is ${short(value)}`
    return [subject === undefined ? `${name}: ${values}` : `${name}: ${subject} (${values})`]
  })
}

/** Versions that differ between the beginning of a run and now: no reason to refuse, but worth saying. */
export function versionsOf(before: Manifest, now: Manifest): string[] {
  const versions = ({ ift, packages }: Manifest) => new Map(Object.entries({ ift, ...packages }))
  const old = versions(before)
  return [...versions(now)].flatMap(([name, version]) => {
    const was = old.get(name)
    return was === undefined || was === version ? [] : [`${name} was ${was}, is ${version}`]
  })
}

/** Names of datasets in a config, without files. */
function datasetNames({ data }: Manifest['config']): readonly string[] {
  const entries: readonly unknown[] = [data].flat()
  return entries.flatMap((entry) => {
    const named = typeof entry === 'string' ? { name: entry } : entry
    const { name } = Object(named) as { readonly name?: unknown }
    return typeof name === 'string' && !/[\\/.]/.test(name) ? [name] : []
  })
}

/**
 * Refuses to go on with other datasets than a run was begun with, before any is looked for: a selection takes what the catalogue has now, and a
 * name may have moved.
 */
export function checkDatasets(before: Manifest, config: Manifest['config'], dir: string): void {
  const [old, current] = [datasetNames(before.config), datasetNames(config)]
  const added = current.filter((name) => !old.includes(name))
  const gone = old.filter((name) => !current.includes(name))
  if (added.length + gone.length === 0) return
  const changes = [
    ...(added.length > 0 ? [`new: ${added.join(', ')}`] : []),
    ...(gone.length > 0 ? [`no longer taken: ${gone.join(', ')}`] : []),
  ]
  throw new IftError(
    'IFT_RESUME_CONFIG',
    `The run in ${dir} cannot be resumed with this config: it was begun with the datasets ${old.join(', ') || 'none'}; ${changes.join('; ')}.`,
    `Write data as ${join(dir, 'manifest.json')} has it into the config, or start a new run with another output folder.`,
  )
}

/** Refuses to go on with a run whose result would change, naming every field that differs. */
export function checkResumable(before: Manifest, now: Manifest, dir: string): void {
  const [old, current] = [new Map<string, string>(), new Map<string, string>()]
  flatten(withOptimizer(before.config), '', old)
  flatten(now.config, '', current)
  const differences = [...new Set([...old.keys(), ...current.keys()])]
    .filter((path) => old.get(path) !== current.get(path))
    .map((path) => `${path}: was ${old.get(path) ?? 'absent'}, is ${current.get(path) ?? 'absent'}`)
  if (before.dataHash !== now.dataHash) {
    const { sources = {} } = before
    const changed = Object.entries(now.sources ?? {}).filter(
      ([name, sha256]) => sources[name] !== undefined && sources[name] !== sha256,
    )
    const names = changed.map(([name]) => name).join(', ')
    differences.push(`data: the training samples are not the same${names && `, those of ${names}`}`)
  }
  differences.push(...differencesOf((before as Partial<Manifest>).identity ?? {}, now.identity))
  if (differences.length)
    throw new IftError(
      'IFT_RESUME_CONFIG',
      `The run in ${dir} cannot be resumed with this config:\n${differences.map((line) => `  - ${line}`).join('\n')}`,
      'Put the values back, or start a new run with another output folder.',
    )
}

/** Places in the folder of a run. */
export class RunFolder {
  constructor(readonly dir: string) {}

  get manifest(): string {
    return join(this.dir, 'manifest.json')
  }
  get metrics(): string {
    return join(this.dir, 'metrics.jsonl')
  }
  /** Answers to fixed prompts. */
  get samples(): string {
    return join(this.dir, 'samples.jsonl')
  }
  /** What the run was planned to be when it was last begun. */
  get plan(): string {
    return join(this.dir, 'plan.json')
  }
  /** How it ended; absent while it lasts, and for a process that was killed. */
  get result(): string {
    return join(this.dir, 'result.json')
  }
  get tensorboard(): string {
    return join(this.dir, 'tensorboard')
  }
  get checkpoints(): string {
    return join(this.dir, 'checkpoints')
  }
  get report(): string {
    return join(this.dir, 'report.html')
  }
  /** The trained adapter. */
  get adapter(): string {
    return join(this.dir, 'adapter')
  }
  /** The trained model, when all parameters were trained. */
  get model(): string {
    return join(this.dir, 'model')
  }

  checkpoint(step: number): string {
    return join(this.checkpoints, `step-${step}`)
  }

  /** Folders and files that the run writes and that must not be inputs. */
  get written(): string[] {
    return [
      this.manifest,
      this.metrics,
      this.samples,
      this.plan,
      this.result,
      this.tensorboard,
      this.checkpoints,
      this.report,
      this.adapter,
      this.model,
    ]
  }

  /** Work of a run in the folder: checkpoints or a result. */
  async holdsRun(): Promise<boolean> {
    return existsSync(this.adapter) || existsSync(this.model) || (await this.steps()).length > 0
  }

  async create(): Promise<void> {
    try {
      await mkdir(this.checkpoints, { recursive: true })
    } catch (error) {
      throw writeFailed(this.checkpoints, error)
    }
  }

  /** Removes leftovers of killed processes. Requires the lock of the folder. */
  async removeLeftovers(): Promise<void> {
    const names = new Set([...this.written.map((path) => basename(path)), 'run.lock'])
    await removeLeftovers(this.dir, (name) => names.has(name))
    await removeLeftovers(this.checkpoints, (name) => /^step-\d+$/.test(name))
  }

  /** Steps of the checkpoints there are, newest first; whether they are whole is not looked at. */
  async steps(): Promise<number[]> {
    if (!existsSync(this.checkpoints)) return []
    let names: string[]
    try {
      names = await readdir(this.checkpoints)
    } catch (error) {
      throw readFailed(this.checkpoints, error)
    }
    return names
      .map((name) => /^step-(\d+)$/.exec(name)?.[1])
      .filter((step) => step !== undefined)
      .map(Number)
      .sort((a, b) => b - a)
  }

  async readManifest(): Promise<Manifest | null> {
    return existsSync(this.manifest) ? readManifest(this.manifest) : null
  }

  writeManifest(manifest: Manifest): Promise<void> {
    return writeFileAtomic(this.manifest, `${JSON.stringify(manifest, null, 2)}\n`)
  }
}
