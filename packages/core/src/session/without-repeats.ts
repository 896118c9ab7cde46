import { createHash } from 'node:crypto'
import { IftError } from '@ift/tensor'
import type { ResolvedConfig } from '../config/schema.js'
import {
  bandsFor,
  examine,
  loadExamined,
  nearDefaults,
  saveExamined,
  type Examination,
  type Examined,
  type RepeatOptions,
} from '../data/duplicates/index.js'
import {
  decontaminationOf,
  findEvaluations,
  readEvaluations,
  type Find,
  type FoundExamples,
} from './evaluations.js'
import { examinationNotes } from './examination-notes.js'

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

export interface KeptOptions {
  /** Folder of the cache. */
  readonly dir: string
  /** Whether what is found is kept for the next time. */
  readonly keep: boolean
  /** Told that it cannot be kept. */
  readonly onFailure: (error: IftError) => unknown
  /** Comes before the examples are looked through, which takes long; not where what was found is kept. */
  readonly before: () => Promise<unknown>
}

export interface Kept<F> {
  readonly found: readonly F[]
  /** How many examples of each set are left out. */
  readonly leftOut: readonly number[]
  readonly report: Examination | null
  readonly notes: readonly string[]
}

/**
 * Datasets without the examples that `dedup` and `decontaminate` leave out, in one pass over all of them, or without one where the
 * same was looked for in the same data before. `report` is null when nothing is asked for that needs texts.
 */
export async function withoutRepeats<F extends FoundExamples>(
  config: Pick<ResolvedConfig, 'data' | 'dedup' | 'decontaminate'>,
  found: readonly F[],
  find: Find,
  { dir, keep, onFailure, before }: KeptOptions,
): Promise<Kept<F>> {
  const repeats = repeatsOf(config.dedup)
  const decontamination = decontaminationOf(config.decontaminate)
  if (!repeats && decontamination.entries.length === 0)
    return { found, leftOut: found.map(() => 0), report: null, notes: [] }
  const evaluations = await findEvaluations(found, decontamination, find)
  const { action, overlap } = decontamination
  // What a package reads is known when it was read, and evaluations are small.
  const isKnown = evaluations.every((one) => one.found.every(({ key }) => key !== null))
  let read = isKnown ? null : await readEvaluations(evaluations, overlap)
  const asked = evaluations.map(({ name, found: of }, i) => [
    name,
    read?.[i]!.sha256 ?? of.map(({ key }) => key),
  ])
  const placeOf = (keys: readonly (string | null)[]) =>
    keys.includes(null)
      ? null
      : createHash('sha256')
          .update(
            JSON.stringify([
              'verdicts-2',
              found.map(({ name }, i) => [name, keys[i]]),
              { repeats, asked, action, overlap },
            ]),
          )
          .digest('hex')
          .slice(0, 40)
  const known = placeOf(found.map(({ key }) => key))
  let examined = known === null ? null : await loadExamined(dir, known)
  if (!examined) {
    await before()
    read ??= await readEvaluations(evaluations, overlap)
    examined = await examine(found, { repeats, evaluations: read, action })
    // They are read again to be tokenised.
    for (const { dropped } of found) dropped.clear()
    if (keep)
      try {
        const key = placeOf(await keysWhenRead(found))
        if (key !== null) await saveExamined(dir, key, examined)
      } catch (error) {
        if (!(error instanceof IftError)) throw error
        onFailure(error)
      }
  }
  const { report, verdicts } = examined
  const notes = examinationNotes(report, action)
  if (verdicts.some(({ length }) => length > 0) && verdicts.every((list) => list.every((one) => one !== 0)))
    throw new IftError(
      'IFT_DATA_EMPTY',
      `dedup and decontaminate leave no example of the data.\n${notes.join('\n')}`,
      'See each of them: npx ift data audit --output found.jsonl',
    )
  return {
    found: found.map((one, i) => keptOf(one, verdicts[i]!)),
    leftOut: verdicts.map((list) => list.reduce((count, one) => count + (one === 0 ? 0 : 1), 0)),
    report,
    notes,
  }
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
  const sha256 = createHash('sha256').update(verdicts).digest('hex')
  const keyOf = (key: string | null) => (key === null ? null : JSON.stringify([key, sha256]))
  const { keyWhenRead } = found
  return {
    ...found,
    examples: kept,
    lines: null,
    key: keyOf(found.key),
    keyWhenRead: keyWhenRead && (async () => keyOf(await keyWhenRead())),
  }
}

const keysWhenRead = (found: readonly FoundExamples[]): Promise<(string | null)[]> =>
  Promise.all(found.map(async ({ key, keyWhenRead }) => key ?? (await keyWhenRead?.()) ?? null))
