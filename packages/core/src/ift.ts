import { dirname, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { IftError, type Backend } from '@ift/tensor'
import { checkReplaceable } from './files/atomic.js'
import { refuseInputs } from './files/inputs.js'
import { localPath } from './files/paths.js'
import { refuseUnwritable } from './files/writable.js'
import { modelKind, saveModel } from './checkpoint/save-model.js'
import type { SessionRequest } from './contract/verb.js'
import { adaptersOf } from './config/adapters.js'
import { loadConfigFile } from './config/load.js'
import { copyConfig } from './config/limits.js'
import { configOfFlags, hasMethodFlags, methodOptionsOfFlags } from './config/flags.js'
import type { DataEntry, IftConfig, ResolvedConfig } from './config/schema.js'
import { resolveConfig } from './config/validate.js'
import { rankPlacement } from './config/ranks.js'
import { withRecipe } from './config/recipe.js'
import type { Examination } from './data/duplicates/index.js'
import { checkPlugin } from './plugin/resolve.js'
import { PluginSession } from './plugin/plugin-session.js'
import type { IftPlugin } from './plugin/define.js'
import { RankLink } from './distributed/link.js'
import type { RankPlace } from './contract/ranks.js'
import { plannedVirtualTokens } from './session/attach-method.js'
import { openBackend } from './session/open-backend.js'
import { withoutSelections } from './session/config-selections.js'
import { auditData, type AuditOptions } from './session/audit-data.js'
import { recordSources } from './session/find-datasets.js'
import { planFetch, type FetchOptions, type FetchPlan } from './session/fetch-data.js'
import { firstExample, type FirstExample } from './session/first-example.js'
import { makeGenerator } from './session/make-generator.js'
import { dataRows, type DataRow, type DataRowsOptions } from './session/data-rows.js'
import { openData } from './session/open-data.js'
import { sharedWithData, type OverlapReport } from './session/shared-with-data.js'
import type { RunData } from './session/run-data.js'
import { newestAdapter } from './session/find-run.js'
import type { RecordSource } from './session/record-source.js'
import { probeLogits, type Merged } from './session/merged.js'
import { adapterDirsOf, openModelFiles, recordedQuantize, type ModelFiles } from './session/model-files.js'
import { modelRecord, openModel, type OpenModel, type OpenOptions } from './session/open-model.js'
import { modelInputs } from './session/run-inputs.js'
import { attachSum, saveSum, sumAdapters, type SumOptions } from './session/sum-adapters.js'
import type { GeneratorOptions, TextGenerator } from './session/text-generator.js'
import { openTraining, runDir, type Training, type TrainingOptions } from './session/training.js'
import { builtinOptimizers } from './train/optimizer/index.js'
import { releaseLocks } from './train/run-lock.js'

export interface LoadOptions extends SessionRequest {
  /** The config itself: no file is looked for. */
  readonly config?: IftConfig
  /** Plugins to use besides those of the config. */
  readonly plugins?: readonly IftPlugin[]
}

/** Lays nested options over others; lists and other values replace. */
function overlay(base: unknown, over: unknown): unknown {
  const plain = (value: unknown): value is Record<string, unknown> =>
    typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
  // Where a name stands for an object that has it, options are those of what is named.
  if (typeof base === 'string' && plain(over) && !('name' in over)) return { name: base, ...over }
  if (!plain(base) || !plain(over)) return over
  const out: Record<string, unknown> = { ...base }
  for (const [key, value] of Object.entries(over))
    // Adapters are a map of the user's names, which is one value.
    out[key] = key in out && key !== 'adapter' ? overlay(out[key], value) : value
  return out
}

/**
 * A session: a config, plugins, one device, and the models opened on it. Several sessions live side by side in a process.
 * Nothing is loaded before it is asked for; `close` frees everything.
 */
export class Ift extends PluginSession {
  readonly config: ResolvedConfig
  /** Config file, or null when the config was given. */
  readonly configPath: string | null
  #backend: Promise<Backend> | null = null
  /** To the other ranks, where these do not come from MPI. */
  #link: RankLink | null = null
  #lose!: (error: unknown) => void
  /** Rejects when another rank fails: whatever waits for that rank has nothing to wait for. */
  readonly #lost = new Promise<never>((_, reject) => (this.#lose = reject))
  readonly #opened = new Set<{ release(): void | Promise<void> }>()

  private constructor(
    rootDir: string,
    config: ResolvedConfig,
    configPath: string | null,
    searchFrom: readonly string[],
  ) {
    super(rootDir, searchFrom)
    this.config = config
    this.configPath = configPath
    this.#lost.catch(() => undefined)
    for (const optimizer of builtinOptimizers) this.hooks.optimizer.provide(optimizer.name, optimizer)
  }

  /** Reads and checks the config, applies its plugins and lets them change it. */
  static async load(options: LoadOptions = {}): Promise<Ift> {
    const cwd = resolve(options.cwd ?? process.cwd())
    const found =
      options.config === undefined
        ? await loadConfigFile(cwd, options.configFile)
        : { config: options.config as unknown, path: null, rootDir: cwd }
    const where = found.path ?? 'The config'
    const { overrides = {}, flags = {} } = options
    const own = copyConfig(found.config, where)
    const line = copyConfig(overlay(overrides, configOfFlags(flags)), 'What the command line sets')
    let written = overlay(own, line)
    const first = resolveConfig(written, where)
    const loader = new PluginSession(found.rootDir, options.searchFrom)
    const plugins = [...(options.plugins ?? [])]
    for (const plugin of first.plugins) {
      if (typeof plugin === 'string') plugins.push(await loader.load(plugin))
      else if (plugin) {
        checkPlugin(plugin)
        plugins.push(plugin)
      }
    }
    for (const plugin of plugins) loader.use(plugin)
    if (hasMethodFlags(flags) && first.peft.method !== 'none') {
      const method = await loader.peft(first.peft.method)
      written = overlay(written, { peft: methodOptionsOfFlags(flags, method.options) })
    }
    const changed = await loader.hooks.config.promise(written as IftConfig)
    const selected = withoutSelections(loader, changed)
    const ift = new Ift(
      found.rootDir,
      Object.freeze(resolveConfig(selected.config, where)),
      found.path,
      options.searchFrom ?? [],
    )
    for (const plugin of plugins) ift.use(plugin)
    ift.configNotes = selected.notes
    ift.hooks.configResolved.call(ift.config)
    return ift
  }

  /** Loads a session for `run` and closes it however that ends. */
  static async using<T>(options: LoadOptions, run: (ift: Ift) => Promise<T>): Promise<T> {
    const ift = await Ift.load(options)
    try {
      return await run(ift)
    } finally {
      await ift.close()
    }
  }

  /** The device of the session, opened at the first call, which may give it a place among ranks. */
  openBackend(place: RankPlace | null = null): Promise<Backend> {
    const exchange = async (bytes: Uint8Array | null) => {
      const link = await RankLink.open(place!, this.config.ranks.timeout)
      this.#link = link
      link.lost.catch(this.#lose)
      const id = await link.exchange(bytes)
      // A library that begins with another id, or finds no way to the others, waits for them for ever.
      const { timeout } = this.config.ranks
      const timer = setTimeout(() => {
        this.#lose(
          new IftError(
            'IFT_RANK_MISSING',
            `The ranks have met, and the devices of the ${place!.worldSize} ranks did not join within ${timeout} s: this is rank ${place!.rank}.`,
            'See what the library does with NCCL_DEBUG=INFO, or wait longer: ranks.timeout in the config.',
          ),
        )
      }, timeout * 1000)
      const joined = () => {
        clearTimeout(timer)
      }
      void this.#backend?.then(joined, joined)
      return id
    }
    this.#backend ??= openBackend(this, this.config, place && { place, exchange })
    return this.#backend
  }

  async openModel(options: OpenOptions = { training: false }): Promise<OpenModel> {
    const open = await openModel(this, this.config, await this.openBackend(), options)
    this.#opened.add(open)
    return open
  }

  /** Opens a training run: model, method, data, plan. `run()` trains. */
  async createTraining(options: TrainingOptions & Partial<OpenOptions> = {}): Promise<Training> {
    if (!options.planOnly) {
      const place = this.#place(options.ranks)
      if ((place?.rank ?? 0) === 0) await refuseUnwritable(runDir(this.rootDir, this.config, options, ''))
      const backend = await Promise.race([this.openBackend(place), this.#lost])
      if (place && !backend.comm)
        throw new IftError(
          'IFT_RANKS_DEVICE',
          `The device (${backend.device.description}) has joined no ranks, and this is rank ${place.rank} of ${place.worldSize}.`,
          'Create the training before anything else of the session is opened, on a device that has collectives.',
        )
    }
    const open = await Promise.race([this.openModel({ ...options, training: true }), this.#lost])
    const training = await Promise.race([
      openTraining(this, open.config, open, options, this.#link),
      this.#lost,
    ])
    this.#opened.add(training)
    return training
  }

  /** This process's place among the ranks of a run; null when it trains alone. */
  #place(asked: RankPlace | null | undefined): RankPlace | null {
    if (asked !== undefined) return asked
    const found = rankPlacement()
    if (found.kind === 'start')
      throw new IftError(
        'IFT_RANKS_START',
        `${found.local.launcher} started one process on this machine, and the ranks of the machine are still to be started.`,
        'Run the command line, which starts them: npx ift train',
      )
    return found.kind === 'rank' ? found.place : null
  }

  /**
   * Ends this process, and with it all ranks of the run, with an exit code; the others end with `message`. Returns when
   * there are no other ranks.
   */
  async abortRanks(code: number, message: string): Promise<void> {
    await this.#link?.fail(message)
    // A device that is still being opened waits for ranks, and may wait for ever.
    const backend = await Promise.race([this.#backend?.catch(() => null), sleep(100, null)])
    if (!backend?.comm) return
    // Opening or training goes on behind the loss of a rank, and the process ends here without the handlers of an exit.
    releaseLocks()
    backend.comm.abort(code)
  }

  /** What a run would need and do; nothing is written. */
  planTraining(): Promise<Training> {
    return this.createTraining({ planOnly: true })
  }

  /** The files of records that the config's data names, found and fetched. */
  recordSources(): Promise<RecordSource[]> {
    return recordSources(this, this.config.data)
  }

  /**
   * What would be fetched of entries of data, of those of the config when absent, which may be names, selections and hub ids. `fetch` of the
   * plan fetches it.
   */
  async planFetch(
    data: IftConfig['data'] = this.config.data,
    options: FetchOptions = {},
  ): Promise<FetchPlan> {
    const { config, notes } = withoutSelections(this, { data })
    const plan = await planFetch(this, resolveConfig(config, 'What is to be fetched').data, options)
    return { ...plan, notes: [...notes, ...plan.notes] }
  }

  /**
   * What repeats in the data of the config, near duplicates included, and what of it is in the data of `decontaminate`. No model is
   * needed.
   */
  auditData(options: AuditOptions = {}): Promise<Examination> {
    return auditData(this, this.config, options)
  }

  /**
   * Which of the texts share 13 words in a row, or 20 characters of a script without spaces, or all of theirs with data, those of the config
   * when absent. No model is needed.
   */
  sharedWithData(texts: readonly string[], data?: readonly DataEntry[]): Promise<OverlapReport> {
    return sharedWithData(this, data ? { ...this.config, data: [...data] } : this.config, texts)
  }

  /** The first example of an entry of data, as the model reads it; null where there is none. No weights are loaded. */
  firstExample(entry: DataEntry): Promise<FirstExample | null> {
    return firstExample(this, this.config, entry)
  }

  /** Family, tokenizer and template of the config's model, with its adapter's where it names one; no weights are loaded. */
  openFiles(): Promise<ModelFiles> {
    return openModelFiles(this, this.config)
  }

  /** The tokenised data of the config with the tokenizer and template that read it; no weights are loaded. Its samples are there until the session is closed. */
  async openData(): Promise<ModelFiles & { readonly data: RunData }> {
    const files = await openModelFiles(this, this.config)
    const { config } = withRecipe(this.config, files.definition.recipe)
    const virtual = await plannedVirtualTokens(this, config, files.adapterDir)
    const data = await openData(this, config, files, { virtual })
    this.#opened.add(data)
    return { ...files, data }
  }

  /**
   * The rows of what `openData` opened, in their order: each with its tokens before anything was cut, and what became of it. They are read once
   * more, as a run does not keep where a sample came from.
   */
  rows(
    opened: ModelFiles & { readonly data: RunData },
    options: DataRowsOptions = {},
  ): AsyncGenerator<DataRow> {
    return dataRows(this, this.config, opened, options)
  }

  /** The adapter that was trained last on the data of the config; null without one, and where the config names an adapter. */
  newestAdapter(): Promise<string | null> {
    return this.config.adapter === undefined
      ? newestAdapter(this.rootDir, this.config)
      : Promise.resolve(null)
  }

  /** A generator over the model of the config, or over one that is open. */
  async createGenerator(open?: OpenModel, options: GeneratorOptions = {}): Promise<TextGenerator> {
    const { deterministic } = this.config
    const model = open ?? (await this.openModel())
    const generator = makeGenerator(this, this.config, model, { deterministic, ...options })
    this.#opened.add(generator)
    return generator
  }

  /**
   * Folds the adapter of the config into its base, in f32, and writes the model in Hugging Face's layout. The base is the one
   * that the adapter was trained on: of a quantised one the values of its codes, unless the config says `quantize: 'none'`; of blocks of
   * a file always their values. Of several
   * adapters their sum is folded in, with the weights that `sum` gives.
   */
  async merge(out: string, sum?: SumOptions): Promise<Merged> {
    const dir = await this.#outputDir(out)
    await checkReplaceable(dir, modelKind(true))
    const dirs = await this.#adapterDirs(sum)
    const added = sum && (await sumAdapters(this, dirs, sum))
    const opened = await this.openModel()
    const open = added ? { ...opened, peft: await attachSum(opened, added), adapters: null } : opened
    if (!open.peft)
      throw new IftError('IFT_MERGE_NOTHING', 'There is no adapter to merge.', 'Name one: --adapter DIR')
    if (added) this.#opened.add(open.peft)
    if (!open.peft.merge)
      throw new IftError(
        'IFT_MERGE_IMPOSSIBLE',
        open.peft.unmergeable ?? 'This kind of adapter has no form inside the weights.',
        'Use it beside the base model: --adapter DIR',
      )
    // The base that the adapter names is known only now.
    await refuseInputs(dir, [{ what: 'the base model', path: open.dir }])
    const before = await probeLogits(open)
    await open.peft.merge()
    const after = await probeLogits({ ...open, peft: null })
    let logitDifference = 0
    for (const [i, value] of before.entries())
      logitDifference = Math.max(logitDifference, Math.abs(value - after[i]!))
    await saveModel(dir, { ...open, configJson: open.json, record: modelRecord(open) })
    return { dir, quantize: recordedQuantize(open.quantize), dtype: open.dtype, logitDifference }
  }

  /** Writes the weighted sum of the adapters of the config as an adapter. Of the base no tensor is read. */
  async sumAdapters(out: string, sum: SumOptions): Promise<{ readonly dir: string }> {
    const dir = await this.#outputDir(out)
    const files = await openModelFiles(this, this.config)
    await this.#adapterDirs(sum)
    await saveSum(dir, await sumAdapters(this, files.adapterDirs, sum), files, await this.openBackend())
    return { dir }
  }

  /** A folder that can be written and holds no input of the config. */
  async #outputDir(out: string): Promise<string> {
    const dir = localPath(this.rootDir, out)
    await refuseUnwritable(dirname(dir))
    await refuseInputs(dir, modelInputs(this.rootDir, this.config))
    return dir
  }

  /** Folders of the several adapters of the config, which weights add up; IFT_USAGE for one without the other. */
  async #adapterDirs(sum: SumOptions | undefined): Promise<ReadonlyMap<string, string>> {
    const several = adaptersOf(this.config)
    if ((several === null) === (sum === undefined))
      return several === null ? new Map() : adapterDirsOf(this, this.config)
    throw sum
      ? new IftError(
          'IFT_USAGE',
          'Weights are for several adapters, and the config does not name several.',
          'Name them: --adapter NAME=DIR --adapter NAME=DIR',
        )
      : new IftError(
          'IFT_USAGE',
          `The config names several adapters: ${[...several!.keys()].join(', ')}.`,
          'Say how they are added up: --mix NAME=WEIGHT,NAME=WEIGHT',
        )
  }

  /** Ends the session: everything opened is released, the device closed. */
  async close(): Promise<void> {
    await this.hooks.close.promise()
    await this.#link?.fail('its session was closed before the run ended.')
    for (const opened of [...this.#opened].reverse()) await opened.release()
    this.#opened.clear()
    // A device that waits for a rank which is lost is never opened.
    const none = () => null
    const backend = await Promise.race([this.#backend?.catch(none), this.#lost.catch(none)])
    backend?.close()
    this.#backend = null
  }
}
