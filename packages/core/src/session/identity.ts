import { createHash } from 'node:crypto'
import { openAdapter } from '../checkpoint/adapter.js'
import type { WeightSource } from '../checkpoint/weight-source.js'
import { templateFingerprint } from '../data/build.js'
import type { RunIdentity } from '../train/run-folder.js'
import { FileContents } from './contents.js'
import { recordedQuantize, type ModelFiles } from './model-files.js'
import type { OpenModel } from './open-model.js'

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

/** Files that a model was loaded from, held open while it is trained. */
export class ModelContents {
  private constructor(
    readonly weights: FileContents | null,
    readonly adapter: FileContents | null,
  ) {}

  static async of({
    checkpoint,
    adapterDir,
  }: Pick<ModelFiles, 'checkpoint' | 'adapterDir'>): Promise<ModelContents> {
    const weights = checkpoint && [...new Set([...checkpoint.tensors.values()].map(({ file }) => file))]
    const adapter = adapterDir === null ? null : (await openAdapter(adapterDir)).files
    const files = weights && FileContents.open(weights)
    try {
      return new ModelContents(files, adapter && FileContents.open(adapter))
    } catch (error) {
      files?.close()
      throw error
    }
  }

  get #files(): FileContents[] {
    return [this.weights, this.adapter].filter((files) => files !== null)
  }

  /** Whether `identity` has its answer. */
  get known(): boolean {
    return this.#files.every((files) => files.known)
  }

  /** Hashes the files unless that is done or under way. */
  async identity(): Promise<Pick<RunIdentity, 'weights' | 'adapter'>> {
    const [weights, adapter] = await Promise.all([this.weights?.hash(), this.adapter?.hash()])
    return { weights: weights ?? 'random values', adapter: adapter ?? 'none' }
  }

  /** `IFT_FILE_CHANGED` when a file of the weights holds something else than when it was loaded. */
  async check(): Promise<void> {
    await this.weights?.check()
  }

  close(): void {
    for (const files of this.#files) files.close()
  }
}

/** sha256 of what a model was loaded from: its weights, and its adapter or several by name. */
export interface ContentHashes {
  /** 'random values' for a model without files. */
  readonly weights: string
  readonly adapter: string | null
  readonly adapters: Readonly<Record<string, string>>
}

/** Hashes of the files of a model; `contents` are those that are open already. */
export async function hashModelFiles(
  files: Pick<ModelFiles, 'checkpoint' | 'adapterDir' | 'adapterDirs'>,
  contents: ModelContents | null,
): Promise<ContentHashes> {
  const hashesOf = async (of: Pick<ModelFiles, 'checkpoint' | 'adapterDir'>) => {
    const opened = await ModelContents.of(of)
    try {
      return await opened.identity()
    } finally {
      opened.close()
    }
  }
  const { weights, adapter } = await (contents?.identity() ?? hashesOf(files))
  const adapters: Record<string, string> = {}
  for (const [name, adapterDir] of files.adapterDirs)
    adapters[name] = (await hashesOf({ checkpoint: null, adapterDir })).adapter!
  return { weights: weights!, adapter: adapter === 'none' ? null : adapter!, adapters }
}

/** sha256 over names, types, shapes and places of all tensors. */
export function layoutOf({ tensors }: WeightSource): string {
  const hash = createHash('sha256')
  for (const [name, { dtype, shape, offset }] of tensors)
    hash.update(`${name} ${dtype} ${shape.join('x')} ${offset}\n`)
  return hash.digest('hex')
}

/** Everything about a model that decides a run and is known without reading the weights. */
export function modelIdentity(
  open: Pick<OpenModel, 'json' | 'generationConfig' | 'tokenizer' | 'template' | 'dtype' | 'quantize'>,
): Omit<RunIdentity, 'weights' | 'adapter'> {
  const { json, generationConfig, tokenizer, template, dtype, quantize } = open
  return {
    'config.json': sha256(JSON.stringify(json)),
    'generation_config.json': generationConfig ? sha256(JSON.stringify(generationConfig)) : 'none',
    tokenizer: tokenizer.fingerprint,
    template: templateFingerprint(template),
    dtype,
    // Blocks are written out for the products of training: the numbers are those of written-out weights, bit for bit.
    quantize: recordedQuantize(quantize),
  }
}

/** Facts about a model from the files of each rank that all ranks must agree on. */
export function modelFacts({ definition, shape, dtype, quantize, fingerprint, trainable }: OpenModel) {
  const trained = trainable.map(({ name, parameter }) => `${name} ${parameter.shape.join('x')}`)
  return {
    family: definition.name,
    ...Object.fromEntries(Object.entries(shape).map(([name, value]) => [name, String(value)])),
    dtype,
    quantize,
    'weight files': fingerprint,
    trained: `${trained.length} tensors: ${trained.join(', ')}`,
  }
}
