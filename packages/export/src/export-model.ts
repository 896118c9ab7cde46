import {
  Ift,
  IftError,
  localPath,
  probeIds,
  probeLogits,
  refuseInputs,
  refuseUnwritable,
  type ExportContext,
  type Exported,
  type ExportedModel,
  type ExportOptions,
  type LoadOptions,
  type OpenModel,
} from '@ift/core'
import { readdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { compareLogits, type Difference } from './compare.js'

/** What the model that was exported gives for a short text. */
export interface Probe {
  readonly ids: Int32Array
  readonly logits: Float32Array
}

/** The model of a session, opened once: beside its adapter, or with it folded in. */
class ExportSource {
  readonly #ift: Ift
  readonly #options: ExportOptions
  #open: OpenModel | null = null
  probe: Probe | null = null

  constructor(ift: Ift, options: ExportOptions) {
    this.#ift = ift
    this.#options = options
  }

  async #model(): Promise<OpenModel> {
    if (this.#open) return this.#open
    const open = await this.#ift.openModel()
    if (open.adapters)
      throw new IftError(
        'IFT_USAGE',
        'The config names several adapters, and one model is exported.',
        'Add them up first: npx ift merge DIR --mix a=1,b=1',
      )
    const ids = await probeIds(open)
    this.probe = { ids, logits: await probeLogits(open, ids) }
    return (this.#open = open)
  }

  async merged(): Promise<ExportedModel> {
    const open = await this.#model()
    if (!open.peft) return open
    if (!open.peft.merge)
      throw new IftError(
        'IFT_MERGE_IMPOSSIBLE',
        open.peft.unmergeable ?? 'This kind of adapter has no form inside the weights.',
        'Answer with it as it is: npx ift serve --adapter DIR',
      )
    await open.peft.merge()
    return (this.#open = { ...open, peft: null })
  }

  async adapted(): Promise<ReturnType<ExportContext['adapted']> extends Promise<infer T> ? T : never> {
    const open = await this.#model()
    const { peft, adapterDir } = open
    if (!peft || adapterDir === null)
      throw new IftError('IFT_USAGE', 'There is no adapter to export.', 'Name one: --adapter DIR')
    return { ...open, peft, adapterDir }
  }

  /** Refuses to write over what is read. */
  async claim(path: string): Promise<void> {
    const { dir, adapterDir } = await this.#model()
    const { weights, adapter, tokenizer } = this.#ift.config
    const at = (input: string) => localPath(this.#ift.rootDir, input)
    await refuseInputs(path, [
      { what: 'the base model', path: dir },
      ...(adapterDir === null ? [] : [{ what: 'the adapter', path: adapterDir }]),
      ...[weights, typeof adapter === 'string' ? adapter : undefined, tokenizer].flatMap((input) =>
        input === undefined ? [] : [{ what: 'what the config names', path: at(input) }],
      ),
    ])
  }

  context(out: string, note: (text: string) => void): ExportContext {
    return {
      out,
      options: this.#options,
      merged: () => this.merged(),
      adapted: () => this.adapted(),
      claim: (path) => this.claim(path),
      note,
    }
  }
}

const short = (value: number) => value.toPrecision(2)

/** How far what was read back is from what was exported. */
export interface ReadBack extends Difference {
  /** Whether that is no more than the format allows. */
  readonly fits: boolean
}

/** Reads an export back and compares it with what was exported; null for what ift does not read. */
async function readBack(
  {
    rootDir,
    config,
    searchFrom,
    plugins,
  }: Pick<Ift, 'rootDir' | 'config'> & Pick<LoadOptions, 'searchFrom' | 'plugins'>,
  { readBack: back, tolerance }: Exported,
  { ids, logits }: Probe,
  note: (text: string) => void,
): Promise<ReadBack | null> {
  if (!back) return null
  const { device, threads } = config
  const read = {
    cwd: rootDir,
    config: {
      weights: back.weights,
      dtype: 'f32',
      quantize: 'none',
      device,
      ...(threads === undefined ? {} : { threads }),
      ...(back.adapter === undefined ? {} : { adapter: back.adapter }),
    },
    ...(searchFrom === undefined ? {} : { searchFrom }),
    ...(plugins === undefined ? {} : { plugins }),
  } as const
  return Ift.using(read, async (ift) => {
    const open = await ift.openModel()
    const own = await probeIds(open)
    if (own.join() !== ids.join())
      note('its tokenizer gives other ids for a short text than the one it was made from')
    const difference = compareLogits(logits, await probeLogits(open, ids), ids.length)
    const { logit, meanKl, largestKl } = difference
    note(
      `read back: largest difference of a logit ${short(logit)}, KL divergence ${short(meanKl)} (largest ${short(largestKl)})`,
    )
    const most =
      tolerance == null ? Infinity : tolerance * logits.reduce((a, b) => Math.max(a, Math.abs(b)), 1)
    const fits = Number.isFinite(logit) && logit <= most
    if (!fits) note(`more than ${short(most)}: what was written does not compute what was exported`)
    return { ...difference, fits }
  })
}

/** What is to be exported. */
export interface ExportRequest {
  readonly format: string
  /** A file or a folder, as the format has it. */
  readonly out: string
  /** Whether what stands there may be replaced. */
  readonly overwrite?: boolean
  readonly options?: ExportOptions
}

/** Refuses a file, and a folder that holds any. */
async function refuseExisting(path: string): Promise<void> {
  const held = await readdir(path).catch((error: unknown) => (error as NodeJS.ErrnoException).code)
  if (held === 'ENOENT' || (Array.isArray(held) && held.length === 0)) return
  throw new IftError(
    'IFT_USAGE',
    `${path} is there already, and is not replaced.`,
    'Replace it with --overwrite, or name another place.',
  )
}

/** What was exported, and how it reads back. */
export interface ExportResult extends Exported {
  readonly probe: Probe
  /** Null for what ift does not read. */
  readonly difference: ReadBack | null
  readonly rootDir: string
}

/** Exports the model of a config, closes it, and reads back what was written. */
export async function exportModel(
  session: LoadOptions,
  { format, out, overwrite = false, options = {} }: ExportRequest,
  note: (text: string) => void = () => undefined,
): Promise<ExportResult> {
  // Sums of an adapter and its base are rounded when they are written, and not before.
  const request = { ...session, overrides: { dtype: 'f32', ...session.overrides } }
  const { done, probe, from } = await Ift.using(request, async (ift) => {
    const definition = await ift.export(format)
    const path = localPath(ift.rootDir, out)
    if (!overwrite) await refuseExisting(path)
    await refuseUnwritable(dirname(path))
    const source = new ExportSource(ift, options)
    const done = await definition.run(source.context(path, note))
    return { done, probe: source.probe!, from: { rootDir: ift.rootDir, config: ift.config } }
  })
  note(`written: ${done.written.join(', ')}`)
  const { searchFrom, plugins } = session
  const difference = await readBack({ ...from, searchFrom, plugins }, done, probe, note)
  return { ...done, probe, difference, rootDir: from.rootDir }
}
