import { totalmem } from 'node:os'
import {
  Embedding,
  IftError,
  itemSize,
  limitParameters,
  quantizeLinears,
  type Backend,
  type BlockFormat,
  type CausalLM,
  type FloatDType,
} from '@ift/tensor'
import { blocksIn, initializeWeights, loadWeights } from '../checkpoint/weights.js'
import { adaptersOf } from '../config/adapters.js'
import { withRecipe } from '../config/recipe.js'
import type { ResolvedConfig } from '../config/schema.js'
import type {
  ModelDefinition,
  ModelShape,
  PeftHandle,
  PromptTemplate,
  Tokenizer,
  TrainableParameter,
} from '../contract/index.js'
import { mostParameters } from '../files/bounds.js'
import type { PluginSession } from '../plugin/plugin-session.js'
import { version } from '../version.js'
import type { AdapterSet } from '../peft/adapters/index.js'
import { attachMethod, loadAdapters, trainWhole } from './attach-method.js'
import { endTokens } from './end-tokens.js'
import { newestAdapter } from './find-run.js'
import { hashModelFiles, layoutOf, ModelContents, type ContentHashes } from './identity.js'
import { openModelFiles, type AdapterRecord, type ModelFiles, type Quantize } from './model-files.js'
import { chooseDtype } from './open-backend.js'
import { requireRoom, virtualLength } from '../data/virtual-tokens.js'

/** Record beside a whole model: the template that it was trained with. */
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
  /** Formats of the parameters that the file has in blocks, by path; empty unless `quantize` is `blocks`. */
  readonly blocks: ReadonlyMap<string, BlockFormat>
  readonly tokenizer: Tokenizer
  readonly template: PromptTemplate
  /** The config with the family's recipe for what the user left open, and the fields that came from the recipe. */
  readonly config: ResolvedConfig
  readonly recipe: readonly string[]
  /** Null when no method is attached, and where there are several adapters. */
  readonly peft: PeftHandle | null
  /** Several adapters by name, the first of them in use; null where the config names one, or none. */
  readonly adapters: AdapterSet | null
  readonly trainable: readonly TrainableParameter[]
  /** Name in the checkpoint of each parameter; empty when the model starts from random values. */
  readonly names: ReadonlyMap<string, string>
  /** Folder of the weights, and how the config wrote it. */
  readonly dir: string
  readonly name: string
  /** Folder of the adapter that is used or trained on from; null without one. */
  readonly adapterDir: string | null
  /** Ids that end a generation, and those of them that answers are ended with in training. */
  readonly ends: ReadonlySet<number>
  readonly learned: readonly number[]
  /** Hash of the names, types and places of all tensors, known without reading the weights. */
  readonly fingerprint: string
  /** A hash of some of the values of the weights; empty when the model starts from random ones. */
  readonly sampleWeights: () => Promise<string>
  /** Hashes of the contents of the files that the model was loaded from. They are read to their ends, unless their hashes are kept. */
  readonly hashFiles: () => Promise<ContentHashes>
  /** The files of the weights and of the adapter, open while the model is trained; null otherwise. */
  readonly contents: ModelContents | null
  release(): void
}

export interface OpenOptions {
  /** Attach the method for training; otherwise only an adapter that the config names. */
  readonly training: boolean
  /** Leave it open to adapters that are loaded later (`TextGenerator.loadAdapter`), although the config names none. */
  readonly openToAdapters?: boolean
}

/**
 * Loads the model of a config, attaches what the config attaches, and leaves it ready to run. A config that names neither weights nor an
 * adapter, but data, means the adapter that was trained last on these data, except for training.
 */
export async function openModel(
  session: PluginSession,
  config: ResolvedConfig,
  backend: Backend,
  options: OpenOptions,
): Promise<OpenModel> {
  if (options.training && adaptersOf(config) !== null)
    throw new IftError(
      'IFT_CONFIG_INVALID',
      'Training goes on from one adapter, and the config names several.',
      'Name one: --adapter DIR. To train on from a sum of them: npx ift merge DIR --mix NAME=1,NAME=1 --as adapter',
    )
  if (!options.training && config.weights === undefined && config.adapter === undefined) {
    const adapter = await newestAdapter(session.rootDir, config)
    if (adapter !== null) config = Object.freeze({ ...config, adapter })
  }
  const files = await openModelFiles(session, config)
  const contents = options.training ? await ModelContents.of(files) : null
  try {
    return await loadModel(session, config, backend, options, files, contents)
  } catch (error) {
    contents?.close()
    throw error
  }
}

/** How the weights of a model are to be held. */
export interface HeldWeights {
  readonly quantize: Quantize
  /** Formats by path, for `blocks`. */
  readonly blocks?: ReadonlyMap<string, BlockFormat>
  /** Type of the rows of embeddings that are held in blocks, and the head with them; as numbers where it is absent: methods change them. */
  readonly tables?: FloatDType | undefined
}

/** The modules of a config, which may come from anywhere: no more of them than any model has. They have no weights yet. */
export function buildModel(
  definition: ModelDefinition,
  parsed: unknown,
  { quantize, blocks = new Map(), tables }: HeldWeights,
): CausalLM {
  const model = limitParameters(
    mostParameters,
    () =>
      new IftError(
        'IFT_MODEL_CONFIG',
        `config.json: its sizes make a model of more than ${mostParameters} parameters.`,
        'Check the numbers of layers and experts.',
      ),
    () => definition.build(parsed),
  )
  if (quantize === 'blocks') {
    const formatOf = (path: string) => blocks.get(`${path}.weight`) ?? null
    quantizeLinears(model, formatOf, tables === undefined ? [model.lmHead] : [])
    if (tables !== undefined)
      for (const [path, module] of model.namedModules()) {
        const format = formatOf(path)
        if (module instanceof Embedding && format !== null) module.holdBlocks(format, tables)
      }
  } else if (quantize !== 'none') quantizeLinears(model, quantize, [model.lmHead])
  return model
}

/** Before a model that starts from random values is written into memory: the system gives memory out that it does not have. */
function refuseBeyondMemory(model: CausalLM, dtype: FloatDType, { device }: Backend): void {
  let needed = 0
  for (const [, { shape }] of model.namedParameters())
    needed += shape.reduce((product, d) => product * d, itemSize(dtype))
  const there = device.memory ?? totalmem()
  if (needed <= there) return
  throw new IftError(
    'IFT_OUT_OF_MEMORY',
    `The weights take ${needed} bytes in ${dtype}, and there are ${there}.`,
    'Check the sizes in config.json.',
  )
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
  const trainsWhole = options.training && config.peft.method === 'none' && files.adapterDir === null
  const blocks =
    files.quantize === 'auto' && checkpoint && backend.blocks && !trainsWhole
      ? blocksIn(checkpoint, definition, parsed, backend.blocks.formats)
      : new Map<string, BlockFormat>()
  const quantize: Quantize = files.quantize !== 'auto' ? files.quantize : blocks.size > 0 ? 'blocks' : 'none'
  if (quantize !== 'none' && trainsWhole)
    throw new IftError(
      'IFT_QUANTIZED',
      `quantize: ${quantize} holds the weights in steps that training cannot move, and peft.method: none trains them.`,
      'Train an adapter: peft: { method: lora }. Or leave out quantize.',
    )
  // What an adapter may change is held as numbers.
  const plainTables = options.training || files.adapterDir !== null || files.adapterDirs.size > 0
  const model = buildModel(definition, parsed, { quantize, blocks, tables: plainTables ? undefined : dtype })
  let names: ReadonlyMap<string, string> = new Map()
  if (checkpoint) names = await loadWeights(model, definition, parsed, checkpoint, { backend, dtype })
  else {
    refuseBeyondMemory(model, dtype, backend)
    await initializeWeights(model, definition, parsed, { backend, dtype, seed: config.train.seed })
  }
  await session.hooks.modelLoaded.promise(model, config)

  const name = files.weights
  const roles = definition.roles(parsed)
  const { seed } = config.train
  const context = { definition, shape, roles, backend, dtype, seed, baseModel: name, tokenizer }
  const { config: filled, taken } = withRecipe(config, options.training ? definition.recipe : undefined)
  const used = Object.freeze({ ...filled, weights: name })
  const isOpen = options.openToAdapters === true && files.adapterDir === null
  const adapters = await loadAdapters(session, files.adapterDirs, model, context, isOpen)
  const peft = adapters
    ? null
    : await attachMethod(session, used, files.adapterDir, model, context, options.training)
  const trainable = !options.training ? [] : peft ? [...peft.trainable()] : trainWhole(model)
  peft?.setTraining(false)
  for (const name of adapters?.names ?? []) requireRoom(virtualLength(adapters!.handle(name)), shape)
  requireRoom(virtualLength(peft), shape)
  return {
    definition,
    json: files.json,
    shape,
    model,
    backend,
    dtype,
    quantize,
    blocks,
    tokenizer,
    template: files.template,
    config: used,
    recipe: taken,
    peft,
    adapters,
    trainable,
    names,
    dir: files.dir,
    name,
    adapterDir: files.adapterDir,
    ...endTokens(files, tokenizer, files.template, files.learned),
    fingerprint: checkpoint ? layoutOf(checkpoint) : 'initialized',
    sampleWeights: () => (checkpoint ? checkpoint.sample() : Promise.resolve('')),
    hashFiles: () => hashModelFiles(files, contents),
    contents,
    release() {
      contents?.close()
      peft?.release()
      adapters?.release()
      model.release()
    },
  }
}
