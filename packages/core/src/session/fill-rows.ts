import { encodeLocated, samplesPath, sourceDigest, type BuildOptions } from '../data/build.js'
import type { ResolvedConfig } from '../config/schema.js'
import type { Portion } from '../data/mixture/index.js'
import { FillingSamples } from '../data/store/index.js'
import { evaluationEntries, type FoundExamples } from './evaluations.js'

/** A set whose samples are made while the run goes on. */
export interface Filling {
  readonly name: string
  readonly samples: FillingSamples
  /** Where they are kept when all were made. */
  readonly path: string
}

/** Samples of rows of a set with `lines` and a key, of which nothing is made yet. `key` is that of the rows that are wanted. */
export function fillingOf(
  { name, lines, key }: FoundExamples,
  rows: { readonly wanted: Int32Array | null; readonly key: string },
  options: BuildOptions & { readonly cache: NonNullable<BuildOptions['cache']> },
): Filling {
  const { dir } = options.cache
  const samples = new FillingSamples({
    count: lines!.count,
    rows: rows.wanted,
    sha256: sourceDigest(key!, options),
    make: async (numbers) => encodeLocated(await lines!.read(numbers), options),
    dir,
    onClose: () => {
      lines!.close()
    },
  })
  return { name, samples, path: samplesPath(dir, rows.key, options) }
}

/** Why the examples of a set cannot be made in any order; null where they can. */
export function whyWhole(
  { dedup, decontaminate, train }: Pick<ResolvedConfig, 'dedup' | 'decontaminate' | 'train'>,
  portions: readonly Portion[],
  { plugin, isLines }: { readonly plugin: boolean; readonly isLines: boolean },
): string | null {
  if (dedup !== false) return 'dedup compares them'
  if (evaluationEntries(decontaminate).length > 0) return 'decontaminate looks through them'
  if (train.tokensPerStep !== undefined) return 'train.tokensPerStep counts their tokens'
  if (portions.some(({ tokens }) => tokens !== undefined)) return 'tokens counts their tokens'
  if (plugin) return 'a plugin changes them one after another'
  return isLines ? null : 'only uncompressed JSONL in UTF-8 of one example a record is read in any order'
}
