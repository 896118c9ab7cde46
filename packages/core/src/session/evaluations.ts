import { IftError } from '@ift/tensor'
import type { DataEntry, DataSource, ResolvedConfig } from '../config/schema.js'
import type { LocatedExample } from '../data/build.js'
import type { LineRows } from '../data/line-rows.js'
import {
  Evaluation,
  overlapDefaults,
  type ContaminationAction,
  type OverlapOptions,
} from '../data/duplicates/index.js'
import { sourcesOf } from './record-source.js'

/** A dataset that was found, as far as its examples are looked through. */
export interface FoundExamples {
  readonly name: string
  /** What it is made of, in a form to compare: files, or the dataset with its place and split. */
  readonly places: readonly string[]
  readonly examples: () => AsyncIterable<LocatedExample>
  /** Hash of what the examples are made of; null when it is not known. */
  readonly key: string | null
  /** What gives the hash once the examples were read, where it is known only then; null where it never is. */
  readonly keyWhenRead: (() => Promise<string | null>) | null
  /** Records that gave no example, by reason; filled while the examples are read. */
  readonly dropped: Map<string, number>
  /** Its examples by their numbers, where they can be read in any order. */
  readonly lines?: LineRows | null
}

/** Finds datasets by their entries, as those of `validation.data`. */
export type Find = (entries: DataEntry[]) => Promise<readonly FoundExamples[]>

/** Evaluation data that a config names. */
export const evaluationEntries = (option: ResolvedConfig['decontaminate']): (string | DataSource)[] =>
  [hasOptions(option) ? option.against : (option ?? [])].flat()

type Decontaminate = ResolvedConfig['decontaminate']

/** Whether the option is more than its evaluation data. */
const hasOptions = (option: Decontaminate): option is Extract<Decontaminate, { against: unknown }> =>
  typeof option === 'object' && 'against' in option && option.against !== undefined

export interface Decontamination {
  readonly entries: readonly (string | DataSource)[]
  readonly action: ContaminationAction
  readonly overlap: OverlapOptions
}

/** What `decontaminate` asks for. */
export function decontaminationOf(option: ResolvedConfig['decontaminate']): Decontamination {
  const entries = evaluationEntries(option)
  if (!hasOptions(option)) return { entries, action: 'drop', overlap: overlapDefaults }
  const { action, words, characters } = option
  return { entries, action, overlap: { words, characters } }
}

/** `gsm8k:test` as its dataset and split; anything else as in `data`. One letter before the colon is a drive. */
export function evaluationSource(entry: string | DataSource): DataSource {
  const [, of, split] = (typeof entry === 'string' && /^(.{2,}):([a-z][\w-]*)$/i.exec(entry)) || []
  const [source] = sourcesOf(of === undefined ? [entry] : [of])
  return split === undefined ? source! : { ...source!, split }
}

const shown = ({ name, path, split }: DataSource) =>
  `${[name, path].filter(Boolean).join(' in ') || '{}'}${split === undefined ? '' : `:${split}`}`

const ofTest = ({ name, path }: DataSource) =>
  path === undefined ? `${name}:test` : `[{ name: ${name}, path: ${path}, split: test }]`

/** An evaluation by its name in messages, with the datasets that it is made of. */
export interface FoundEvaluation {
  readonly name: string
  readonly found: readonly FoundExamples[]
}

/** Finds the data of every evaluation; IFT_CONFIG_INVALID for one that is trained on, which is what was found of `data`. */
export async function findEvaluations(
  data: readonly FoundExamples[],
  { entries }: Decontamination,
  find: Find,
): Promise<FoundEvaluation[]> {
  const trained = new Set(data.flatMap(({ places }) => places))
  const evaluations: FoundEvaluation[] = []
  for (const source of entries.map(evaluationSource)) {
    const name = shown(source)
    let found: readonly FoundExamples[]
    try {
      found = await find([source])
    } catch (cause) {
      throw inOption(name, cause)
    }
    const shared = found.flatMap(({ places }) => places).find((place) => trained.has(place))
    if (shared !== undefined)
      throw new IftError(
        'IFT_CONFIG_INVALID',
        `decontaminate: ${name} is in data as well: expected data that is not trained on, found ${shared} in both.`,
        source.name === undefined
          ? 'Leave the file out of data, or name other files in decontaminate.'
          : `Name the split that is evaluated on: decontaminate: ${ofTest(source)}`,
      )
    evaluations.push({ name, found })
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

/** Reads the questions of every evaluation. */
export async function readEvaluations(
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
