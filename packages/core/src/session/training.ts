// Over 400 lines: what a run opens, one thing after another, each of which the next ones need.

import { existsSync } from 'node:fs'
import { IftError, type Parameter } from '@ift/tensor'
import { refuseInputs } from '../files/inputs.js'
import { localPath } from '../files/paths.js'
import type { ResolvedConfig } from '../config/schema.js'
import type { RankLink } from '../distributed/link.js'
import type { RankPlace } from '../contract/ranks.js'
import { Ranks } from '../distributed/ranks.js'
import { createPacker } from '../data/pack.js'
import type { PluginSession } from '../plugin/plugin-session.js'
import { findCheckpoint, readRecord, type BrokenCheckpoint } from '../train/run-checkpoint.js'
import type { Plan } from '../train/plan.js'
import type { ReportSample } from '../train/report/report.js'
import {
  checkDatasets,
  checkResumable,
  decisive,
  RunFolder,
  versionsOf,
  type Manifest,
} from '../train/run-folder.js'
import { stepsBetween } from '../train/steps-between.js'
import { remedies, type Remedy } from '../train/remedies.js'
import { RunLock } from '../train/run-lock.js'
import { zeroRateNote } from '../train/schedule/zero-rate.js'
import type { RunGuard } from '../train/run-guard.js'
import { Trainer } from '../train/trainer.js'
import type { TrainResult } from '../contract/train.js'
import { version } from '../version.js'
import { factNotes } from './data-facts.js'
import { openData } from './open-data.js'
import type { RunData } from './run-data.js'
import { measureSpeed, type Speed } from './measure.js'
import { modelFacts, modelIdentity } from './identity.js'
import { explainLostFile } from './lost-file.js'
import { outputDir } from './output-dir.js'
import { inputsOf } from './run-inputs.js'
import type { OpenModel } from './open-model.js'
import { openOptimizer, recordedConfig } from './open-optimizer.js'
import { explainMemory } from './out-of-memory.js'
import { writeRunReport } from './run-report.js'
import { ratesOf, removeResult, writeFailure, writePlan, writeResult, type RunPlan } from './run-record.js'
import { makeGenerator } from './make-generator.js'
import { RowFeed } from './sample-feed.js'
import { openRunTasks } from './run-tasks.js'
import { openSampling } from './sampling.js'
import { saveOutput } from './save-output.js'
import { budget, memoryOf, microBatchTokens, planTraining } from './training-plan.js'
import { virtualLength, virtualRows } from '../data/virtual-tokens.js'

export interface TrainingOptions {
  /** Go on with the run in the output folder, or from the checkpoint or run that is named. */
  readonly resume?: boolean | string
  /** Only plan: the output folder is neither looked at nor made. */
  readonly planOnly?: boolean
  /** Place among the ranks of a run; null to train alone; taken from the environment when absent. */
  readonly ranks?: RankPlace | null
}

/** A training run, opened: everything is loaded, nothing is trained yet. */
export interface Training {
  readonly trainer: Trainer
  readonly open: OpenModel
  readonly data: RunData
  readonly plan: Plan
  /** What plan.json says. */
  readonly planned: RunPlan
  /** With `planOnly`, where the frozen weights are held in the blocks of their file: the plan for written-out ones. */
  readonly writtenOut: Plan | null
  readonly folder: RunFolder
  /** Checkpoint that the run goes on from, and those that were passed over because they are not whole. */
  readonly resumedFrom: string | null
  readonly broken: readonly BrokenCheckpoint[]
  /** Tokens of a micro-batch: more than the config says where a sample is longer. */
  readonly microBatchTokens: number
  /** Notes for the user before the run begins. */
  readonly notes: readonly string[]
  /** Elements that are trained, and of the whole model. */
  readonly trainable: number
  readonly parameters: number
  /** Name of the optimizer. */
  readonly optimizer: string
  /** Measures forward and backward of the first step; nothing is trained. */
  measure(): Promise<Speed>
  /** Settings under which the run takes less memory, the most helpful first. */
  remedies(): Promise<readonly Remedy[]>
  run(signal?: AbortSignal): Promise<TrainResult>
  /** Writes report.html with these samples; called at the end of a run, and again when there is more to show. */
  writeReport(samples: readonly ReportSample[], result?: TrainResult): Promise<string>
  release(): void
}

/** Rows of prompts that are read in both directions belong to one sample; dropout is drawn for every sample, unless the config says so. */
function sharesPrefixes(wanted: 'auto' | 'always' | 'never', { peft, shape }: OpenModel): boolean {
  const possible = shape.bidirectionalPrompt !== true
  return possible && (wanted === 'always' || (wanted === 'auto' && peft?.stochastic !== true))
}

/** The checkpoint that a run goes on from, on the process that writes. */
async function findResumable(
  folder: RunFolder,
  session: PluginSession,
  resume: true | string,
): Promise<{ readonly dir: string; readonly broken: readonly BrokenCheckpoint[] }> {
  const { dir, broken } = await findCheckpoint(
    folder,
    typeof resume === 'string' ? localPath(session.rootDir, resume) : null,
  )
  if (dir !== null) return { dir, broken }
  throw new IftError(
    'IFT_RESUME_NOTHING',
    `There is no whole checkpoint to resume from in ${folder.checkpoints}.`,
    broken.length
      ? `Broken: ${broken.map(({ dir, error }) => `${dir} (${error instanceof Error ? error.message : String(error)})`).join('; ')}`
      : 'Start the run without --resume.',
  )
}

/** The folder of a run: that of the run it goes on with, or of the config. `family` stands for a model without weights. */
export const runDir = (
  rootDir: string,
  config: ResolvedConfig,
  { resume }: Pick<TrainingOptions, 'resume'>,
  family: string,
): string =>
  typeof resume === 'string'
    ? localPath(rootDir, resume).replace(/[\\/]checkpoints[\\/]step-\d+[\\/]?$/, '')
    : outputDir(config, rootDir, family)

/** Opens a run: data, plan, packer, trainer, and its folder when it goes on. */
export async function openTraining(
  session: PluginSession,
  config: ResolvedConfig,
  open: OpenModel,
  options: TrainingOptions,
  link: RankLink | null = null,
): Promise<Training> {
  const folder = new RunFolder(runDir(session.rootDir, config, options, open.definition.name))
  const writes = Ranks.of(open.backend)?.isFirst ?? true
  if (options.planOnly || !writes) return openIn(folder, null, session, config, open, options, link)
  const inputs = await inputsOf(session.rootDir, config, open.dir)
  for (const path of folder.written) await refuseInputs(path, inputs)
  const lock = await RunLock.acquire(folder.dir)
  try {
    return await openIn(folder, lock, session, config, open, options, link)
  } catch (error) {
    lock.release()
    throw error
  }
}

const sizeOf = (parameters: readonly Parameter[]) =>
  parameters.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0)

/** `lock` is null for a plan and for all ranks but the first, which write nothing. */
async function openIn(
  folder: RunFolder,
  lock: RunLock | null,
  session: PluginSession,
  config: ResolvedConfig,
  open: OpenModel,
  options: TrainingOptions,
  link: RankLink | null,
): Promise<Training> {
  const { planOnly = false, resume } = options
  const optimizer = await openOptimizer(session, config)
  if (lock && !resume && (await folder.holdsRun()))
    throw new IftError(
      'IFT_RUN_EXISTS',
      `${folder.dir} holds a run already.`,
      (await folder.steps()).length
        ? 'Go on with it: --resume. Or choose another folder: --output DIR'
        : 'Choose another folder: --output DIR',
    )
  if (lock) await folder.removeLeftovers()
  const found = lock && resume ? await findResumable(folder, session, resume) : null
  const ranks = Ranks.of(open.backend)
  const begun = found && ((await readRecord(found.dir)) ?? (await folder.readManifest().catch(() => null)))
  if (begun) checkDatasets(begun, config, folder.dir)
  // Samples come in the order that they had when the run began.
  const begunWith = begun?.dataHash ?? null
  const data = await openData(session, config, open, {
    keep: !planOnly,
    virtual: virtualLength(open.peft),
    atOnce: !planOnly,
    recorded: ranks ? (await ranks.fromFirst(begunWith)) || null : begunWith,
  })
  if (data.train.size(0) === 0)
    throw new IftError(
      'IFT_DATA_EMPTY',
      'There are no training samples.',
      'Set data: in the config, or look at what was dropped: npx ift data stats',
    )
  const names = data.datasets.map(({ name }) => name)
  const known = new Map(data.datasets.flatMap(({ facts }) => (facts ? [[facts.name, facts] as const] : [])))
  const facts = [...known.values()]
  let manifest: Manifest = {
    ift: version,
    node: process.version,
    started: new Date().toISOString(),
    device: open.backend.device.description,
    family: open.definition.name,
    config: recordedConfig(config, optimizer),
    recipe: open.recipe,
    dataHash: data.hash,
    sources: data.sources,
    mixture: data.mixture,
    licenses: Object.fromEntries(facts.map(({ name, license }) => [name, license])),
    identity: modelIdentity(open),
    plugins: session.plugins,
    packages: {},
  }
  const complete = async () => {
    if (manifest.identity.weights !== undefined) return manifest
    const identity = { ...manifest.identity, ...(await open.contents!.identity()) }
    const packages = Object.fromEntries(session.packages().map((found) => [found.package, found.version]))
    manifest = { ...manifest, identity, packages }
    return manifest
  }
  // Here the ranks meet: the data of each is ready.
  await ranks?.agree({
    ift: { version },
    config: decisive(manifest.config),
    'training data': {
      samples: data.train.size(0),
      'held out': data.validation?.size(0) ?? 0,
      sha256: data.hash,
    },
    model: { ...modelFacts(open), ...modelIdentity(open), 'weight values': await open.sampleWeights() },
    run: { resuming: String(Boolean(resume)) },
  })
  let agreed = ranks === null
  const agree = async () => {
    const { weights = '', adapter = '' } = (await complete()).identity
    if (!agreed)
      await ranks?.agree({
        'base weights': { sha256: weights },
        'adapter to start from': { sha256: adapter },
      })
    agreed = true
  }
  const beside = data.fillings.map(({ name, samples }) => `${samples.count.toLocaleString('en')} of ${name}`)
  const notes = [
    ...(beside.length === 0
      ? []
      : [
          `Rows are tokenised while the run trains: ${beside.join(', ')}. A row that cannot be read ends it then; train.startAtOnce: never reads them first.`,
        ]),
    ...factNotes(facts),
    ...data.notes,
    ...(open.peft?.notes ?? []),
  ]
  const unmergeable =
    open.peft &&
    (open.peft.unmergeable ??
      (open.peft.merge === null ? 'The method has no form inside the weights.' : null))
  if (unmergeable)
    notes.push(`The adapter will not be one to merge: ${unmergeable} It is used beside its base (--adapter).`)
  if (resume) await agree()
  if (found) {
    const before = begun
    if (before === null)
      throw new IftError(
        'IFT_RESUME_CONFIG',
        `${found.dir} cannot be compared with this config: neither it nor ${folder.manifest} says what the run was begun with.`,
        'Put manifest.json back, or start a new run with another output folder.',
      )
    // One of an earlier version may be of the same samples, and look otherwise.
    const isSame = data.isHash(before.dataHash)
    checkResumable(isSame ? { ...before, dataHash: manifest.dataHash } : before, manifest, folder.dir)
    notes.push(...versionsOf(before, manifest))
    manifest = { ...before, identity: manifest.identity }
  }
  const resumedFrom = ranks && resume ? await ranks.fromFirst(found?.dir ?? null) : (found?.dir ?? null)
  let hasBegun = false
  let recorded = planOnly || resumedFrom !== null
  const guard: RunGuard = {
    begin() {
      if (!hasBegun) open.contents?.identity().catch(() => undefined)
      hasBegun = true
    },
    get known() {
      return open.contents?.known ?? true
    },
    agree,
    async confirm() {
      await complete()
      // Weights that were converted while loading are in memory and cannot change.
      if (open.backend.memory().mapped > 0) await open.contents?.check()
      await lock?.confirm()
      if (!recorded) await folder.writeManifest(manifest)
      recorded = true
      return manifest
    },
  }

  const { train } = config
  const packing = {
    // What the longest sample has is not known in every run of the same config.
    microBatchTokens: data.byRows ? train.microBatchTokens : microBatchTokens(config, open, data),
    longAlone: data.byRows,
    virtualRows: virtualRows(open.peft, open.model),
    seed: train.seed,
    shuffle: train.shuffle,
    sharePrefixes: sharesPrefixes(train.sharePrefixes, open),
    promptOf: open.model.promptOf?.bind(open.model),
    rank: ranks?.rank ?? 0,
    worldSize: ranks?.worldSize ?? 1,
    ...(train.tokensPerStep === undefined
      ? { samplesPerStep: train.batchSize }
      : { tokensPerStep: train.tokensPerStep }),
  }
  const packer = createPacker(data.train, packing)
  const steps = train.maxSteps ?? packer.steps(train.epochs)
  const counted = memoryOf({ session, open, data, packing, optimizer, steps })
  const memory = await planTraining(config, open, counted)
  const writtenOut =
    planOnly && open.quantize === 'blocks'
      ? await planTraining(config, open, { ...counted, settings: { ...counted.settings, quantize: 'none' } })
      : null
  const { validation } = data
  const feed =
    data.fillings.length === 0 || planOnly
      ? null
      : new RowFeed({
          ...{ train: data.train, validation, fillings: data.fillings, packer, packing },
          end: packer.endOf(steps),
          keeps: ranks?.isFirst ?? true,
          onMade: async () => {
            manifest = { ...manifest, mixture: data.mixture }
            if (lock && recorded) await folder.writeManifest(manifest)
          },
          onWarning: (message) => {
            trainer.hooks.warning.call(message)
          },
        })
  const { deterministic } = config
  const sampling = await openSampling(session.rootDir, config, open, data, () =>
    makeGenerator(session, config, open, { deterministic }),
  )
  const evaluates = validation !== null && train.evalEvery !== 0
  const tasks = planOnly
    ? null
    : await openRunTasks(session, config, open, evaluates, () =>
        makeGenerator(session, config, open, { deterministic }),
      )
  const trainer: Trainer = new Trainer({
    backend: open.backend,
    ranks,
    model: open.model,
    peft: open.peft,
    trainable: open.trainable,
    packer,
    validation: validation
      ? function* () {
          const options = { ...packing, shuffle: false }
          for (const { microBatches } of createPacker(validation, options).restOfEpoch()) yield* microBatches
        }
      : null,
    config: train,
    optimizer,
    folder,
    recomputeLayers: memory.recomputeLayers,
    guard,
    feed,
    sampling,
    tasks,
    saveOutput: async () => {
      if (!lock) return open.peft ? folder.adapter : folder.model
      await guard.confirm()
      return saveOutput(config, open, folder, { rootDir: session.rootDir, datasets: names, facts })
    },
  })
  const zeroRate = zeroRateNote(trainer.schedule)
  if (zeroRate !== null) notes.push(zeroRate)
  if (lock) await folder.create()
  if (resumedFrom !== null) await trainer.resume(resumedFrom)
  if (lock && (resumedFrom === null || !existsSync(folder.manifest))) await folder.writeManifest(manifest)
  session.hooks.trainer.call(trainer)

  const trainable = sizeOf(open.trainable.map(({ parameter }) => parameter))
  const parameters = sizeOf([...open.model.namedParameters()].map(([, parameter]) => parameter))
  const end = packer.endOf(trainer.totalSteps)
  const between = (asked: number | undefined) => stepsBetween(trainer.totalSteps, asked)
  const planned: RunPlan = {
    steps: trainer.totalSteps,
    epochs: end.epoch + (end.position && end.position / packer.samplesIn(end.epoch)),
    sequences: data.train.size(0),
    heldOut: validation?.size(0) ?? 0,
    ...{ parameters, trainable },
    evalEvery: validation ? between(train.evalEvery) : 0,
    saveEvery: between(train.saveEvery),
    logEvery: train.logEvery,
    samplesEvery: sampling && between(train.samples.every),
    microBatchTokens: microBatchTokens(config, open, data),
    memory,
    budget: budget(config, open),
    device: open.backend.device.description,
    dtype: open.quantize === 'none' ? open.dtype : `${open.dtype}, ${open.quantize}`,
    learningRates: ratesOf(trainer.schedule, trainer.totalSteps),
  }
  const writeReport = (samples: readonly ReportSample[], result?: TrainResult) =>
    writeRunReport({ folder, open, data, manifest, plan: planned, trainable, parameters, samples, result })
  return {
    trainer,
    open,
    data,
    plan: memory,
    planned,
    writtenOut,
    microBatchTokens: microBatchTokens(config, open, data),
    folder,
    resumedFrom,
    broken: found?.broken ?? [],
    notes,
    trainable,
    parameters,
    optimizer: optimizer.definition.name,
    measure: () => measureSpeed(open, data, packing),
    remedies: () => remedies(counted, memory, budget(config, open) ?? Infinity),
    async run(signal) {
      const warnings: string[] = []
      /** What watchers read does not end a run. */
      const note = async (path: string, writing: Promise<unknown> | null) => {
        const problem = lock && (await writing?.catch((error: unknown) => error))
        if (!(problem instanceof Error)) return
        const warning = `${path} could not be written: ${problem.message}`
        trainer.hooks.warning.call(warning)
        warnings.push(warning)
      }
      if (lock) {
        await note(folder.result, removeResult(folder))
        await note(folder.plan, writePlan(folder, planned))
      }
      const training = trainer.train(signal).catch(async (error: unknown) => {
        throw (
          (await explainMemory(error, memory, counted, budget(config, open))) ??
          explainLostFile(error) ??
          error
        )
      })
      try {
        const result = await (link ? Promise.race([training, link.lost]) : training)
        await feed?.end(result.reason !== 'interrupted')
        if (lock && result.passedOver > 0)
          await folder.writeManifest({ ...manifest, mixture: data.mixture, passedOver: result.passedOver })
        if (lock) {
          await note(folder.report, writeReport([], result))
          await note(
            folder.result,
            writeResult(folder, { ...result, warnings: [...result.warnings, ...warnings] }),
          )
        }
        await ranks?.comm.leave()
        link?.close()
        return { ...result, warnings: [...result.warnings, ...warnings] }
      } catch (error) {
        if (lock) await note(folder.result, writeFailure(folder, error, warnings))
        throw error
      } finally {
        await feed?.end(false)
        lock?.release()
      }
    },
    writeReport,
    release() {
      lock?.release()
      trainer.release()
      data.release()
    },
  }
}
