import { createHash } from 'node:crypto'
import { normalize } from 'node:path'
import { IftError } from '@ift/tensor'
import type { DataEntry, DataSource, ResolvedConfig } from '../config/schema.js'
import type { LocatedExample } from '../data/build.js'
import {
  bandsFor,
  Evaluation,
  examine,
  loadExamined,
  nearDefaults,
  overlapDefaults,
  saveExamined,
  type ContaminationAction,
  type Examination,
  type Examined,
  type Finding,
  type OverlapOptions,
  type RepeatOptions,
} from '../data/duplicates/index.js'
import { sourcesOf } from './record-source.js'

/** A dataset that was found, as far as its examples are looked through. */
export interface FoundExamples {
  readonly name: string
  readonly examples: () => AsyncIterable<LocatedExample>
  /** Hash of what the examples are made of; null when it is not known. */
  readonly key: string | null
  /** Records that gave no example, by reason; filled while the examples are read. */
  readonly dropped: Map<string, number>
}

type Find = (entries: DataEntry[]) => Promise<readonly FoundExamples[]>

type Asked = Pick<ResolvedConfig, 'data' | 'dedup' | 'decontaminate'>

/** Which examples of texts repeat others; null where the option compares tokens, or nothing. */
export function repeatsOf(dedup: ResolvedConfig['dedup']): RepeatOptions | null {
  if (typeof dedup === 'boolean') return null
  if (dedup === 'exact') return { by: 'example', near: null }
  if (dedup === 'near') return { by: 'example', near: nearDefaults }
  const { by, near, permutations, shingle } = dedup
  if (near === undefined) return { by, near: null }
  const { bands = bandsFor(near, permutations) } = dedup
  return { by, near: { threshold: near, permutations, bands, shingle } }
}

/** Evaluation data that a config names. */
export const evaluationEntries = (option: ResolvedConfig['decontaminate']): (string | DataSource)[] =>
  [typeof option === 'object' && 'against' in option ? option.against : (option ?? [])].flat()

interface Decontamination {
  readonly entries: readonly (string | DataSource)[]
  readonly action: ContaminationAction
  readonly overlap: OverlapOptions
}

function decontaminationOf(option: ResolvedConfig['decontaminate']): Decontamination {
  const entries = evaluationEntries(option)
  if (typeof option !== 'object' || !('against' in option))
    return { entries, action: 'drop', overlap: overlapDefaults }
  const { action, words, characters } = option
  return { entries, action, overlap: { words, characters } }
}

/** `gsm8k:test` as its dataset and split; anything else as in `data`. One letter before the colon is a drive. */
function evaluationSource(entry: string | DataSource): DataSource {
  const [, of, split] = (typeof entry === 'string' && /^(.{2,}):([a-z][\w-]*)$/i.exec(entry)) || []
  const [source] = sourcesOf(of === undefined ? [entry] : [of])
  return split === undefined ? source! : { ...source!, split }
}

const shown = ({ name, path, split }: DataSource) =>
  `${[name, path].filter(Boolean).join(' in ')}${split === undefined ? '' : `:${split}`}`

const placeOf = ({ name, path, split }: DataSource) =>
  JSON.stringify([name, path === undefined ? null : normalize(path), split])

interface FoundEvaluation {
  readonly name: string
  readonly found: readonly FoundExamples[]
}

async function findEvaluations(
  data: ResolvedConfig['data'],
  { entries }: Decontamination,
  find: Find,
): Promise<FoundEvaluation[]> {
  const trained = new Set(sourcesOf(data).map(placeOf))
  const evaluations: FoundEvaluation[] = []
  for (const source of entries.map(evaluationSource)) {
    const name = shown(source)
    if (trained.has(placeOf(source)))
      throw new IftError(
        'IFT_CONFIG_INVALID',
        `decontaminate: ${name} is in data as well: expected data that is not trained on.`,
        'Name the split that is evaluated on: decontaminate: NAME:test',
      )
    try {
      evaluations.push({ name, found: await find([source]) })
    } catch (cause) {
      throw inOption(name, cause)
    }
  }
  return evaluations
}

/** An error about an evaluation names the option that it stands in. */
const inOption = (name: string, cause: unknown): unknown =>
  cause instanceof IftError && !cause.message.startsWith('decontaminate')
    ? new IftError(cause.code, `decontaminate: ${name}: ${cause.message}`, cause.hint, { cause })
    : cause

async function* examplesOf(found: readonly FoundExamples[]): AsyncGenerator<LocatedExample> {
  for (const { examples } of found) yield* examples()
}

async function readEvaluations(
  evaluations: readonly FoundEvaluation[],
  overlap: OverlapOptions,
): Promise<Evaluation[]> {
  const read: Evaluation[] = []
  for (const { name, found } of evaluations)
    try {
      read.push(await Evaluation.read(name, examplesOf(found), overlap))
    } catch (cause) {
      throw inOption(name, cause)
    }
  return read
}

/** Counts everything that repeats or is evaluated on, without training: near duplicates too where `dedup` names none. */
export async function auditExamples(
  config: Asked,
  found: readonly FoundExamples[],
  find: Find,
  onFinding?: (finding: Finding) => unknown,
): Promise<Examination> {
  const decontamination = decontaminationOf(config.decontaminate)
  const evaluations = await findEvaluations(config.data, decontamination, find)
  const { by, near } = repeatsOf(config.dedup) ?? { by: 'example', near: null }
  const { report } = await examine(found, {
    repeats: { by, near: near ?? nearDefaults },
    questions: by === 'example',
    evaluations: await readEvaluations(evaluations, decontamination.overlap),
    ...(onFinding ? { onFinding } : {}),
  })
  return report
}

export interface KeptOptions {
  /** Folder of the cache. */
  readonly dir: string
  /** Whether what is found is kept for the next time. */
  readonly keep: boolean
  /** Told that it cannot be kept. */
  readonly onFailure: (error: IftError) => unknown
}

/**
 * Datasets without the examples that `dedup` and `decontaminate` leave out, in one pass over all of them, or without one where the
 * same was looked for in the same data before. Null when nothing is asked for that needs texts.
 */
export async function withoutRepeats<F extends FoundExamples>(
  config: Asked,
  found: readonly F[],
  find: Find,
  { dir, keep, onFailure }: KeptOptions,
): Promise<{ readonly found: readonly F[]; readonly report: Examination | null; readonly notes: string[] }> {
  const repeats = repeatsOf(config.dedup)
  const decontamination = decontaminationOf(config.decontaminate)
  if (!repeats && decontamination.entries.length === 0) return { found, report: null, notes: [] }
  const evaluations = await findEvaluations(config.data, decontamination, find)
  const { action, overlap } = decontamination
  // What a package reads is known when it was read, and evaluations are small.
  const isKnown = evaluations.every((one) => one.found.every(({ key }) => key !== null))
  let read = isKnown ? null : await readEvaluations(evaluations, overlap)
  const asked = evaluations.map(({ name, found: of }, i) => [
    name,
    read?.[i]!.sha256 ?? of.map(({ key }) => key),
  ])
  const key = found.some((one) => one.key === null)
    ? null
    : createHash('sha256')
        .update(
          JSON.stringify([
            'verdicts-1',
            found.map((one) => [one.name, one.key]),
            { repeats, asked, action, overlap },
          ]),
        )
        .digest('hex')
        .slice(0, 40)
  let examined = key === null ? null : await loadExamined(dir, key)
  if (!examined) {
    read ??= await readEvaluations(evaluations, overlap)
    examined = await examine(found, { repeats, evaluations: read, action })
    // They are read again to be tokenised.
    for (const { dropped } of found) dropped.clear()
    if (key !== null && keep)
      await saveExamined(dir, key, examined).catch((error: unknown) => {
        if (!(error instanceof IftError)) throw error
        onFailure(error)
      })
  }
  const { report, verdicts } = examined
  const notes = notesOf(report, action)
  if (verdicts.some(({ length }) => length > 0) && verdicts.every((list) => list.every((one) => one !== 0)))
    throw new IftError(
      'IFT_DATA_EMPTY',
      `dedup and decontaminate leave no example of the data.\n${notes.join('\n')}`,
      'See each of them: npx ift data audit --output found.jsonl',
    )
  return { found: found.map((one, i) => keptOf(one, verdicts[i]!)), report, notes }
}

function keptOf<F extends FoundExamples>(found: F, verdicts: Examined['verdicts'][number]): F {
  if (verdicts.every((one) => one === 0)) return found
  async function* kept() {
    let count = 0
    for await (const example of found.examples()) if (verdicts[count++] === 0) yield example
    if (count !== verdicts.length)
      throw new IftError(
        'IFT_FILE_CHANGED',
        `The data of ${found.name} changed while it was read: expected ${verdicts.length} examples, found ${count}.`,
        'Start again when nothing writes to it.',
      )
  }
  const key =
    found.key === null
      ? null
      : JSON.stringify([found.key, createHash('sha256').update(verdicts).digest('hex')])
  return { ...found, examples: kept, key }
}

const crowdedNote = (count: number) =>
  `dedup: ${number(count)} examples have so long a text in common with many others that only some of these were compared.`

const number = (count: number) => count.toLocaleString('en')

/** What was left out, a line for each set and evaluation. */
function notesOf(
  { sets, exact, near, crowded, contamination }: Examination,
  action: ContaminationAction,
): string[] {
  const notes: string[] = []
  if (crowded > 0) notes.push(crowdedNote(crowded))
  for (const [s, { name, examples }] of sets.entries()) {
    const column = (matrix: Examination['exact']) => (matrix ?? []).map((row) => row[s]!)
    const [equal, alike] = [column(exact), column(near)]
    const total = (counts: readonly number[]) => counts.reduce((sum, count) => sum + count, 0)
    const of = sets.flatMap((one, i) => {
      const count = (equal[i] ?? 0) + (alike[i] ?? 0)
      return count === 0 ? [] : [`${number(count)} of ${i === s ? 'its own' : one.name}`]
    })
    if (of.length > 0)
      notes.push(
        `dedup: ${name}: ${number(total(equal) + total(alike))} of ${number(examples)} examples left out, ${number(total(equal))} equal and ${number(total(alike))} near to earlier ones: ${of.join(', ')}.`,
      )
    for (const [e, evaluation] of contamination.evaluations.entries()) {
      const count = contamination.counts[e]![s]!
      if (count === 0) continue
      const first = contamination.found.find((one) => one.set === name && one.ofSet === evaluation.name)
      notes.push(
        `decontaminate: ${name}: ${number(count)} of ${number(examples)} examples share a text with ${evaluation.name} and ${action === 'drop' ? 'are left out' : 'stay'}${first ? `, ${first.where} with ${first.of} for one: "${first.text ?? ''}"` : ''}.`,
      )
    }
  }
  return notes
}
