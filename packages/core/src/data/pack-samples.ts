import type { PromptSpan } from '@ift/tensor'
import { ignoredLabel } from './encode.js'
import { prefixGroups } from './shared-prefixes.js'
import type { PackedBatch, Sample } from '../contract/data.js'

/**
 * Lays samples end to end: positions begin anew with each, targets stay inside each. With `sharePrefixes` samples that
 * begin alike stand behind one copy of their beginning, and the order of the samples is another. `promptOf` finds what a
 * model reads in both directions. With `learnFirst` virtual rows stand in front and predict the first token.
 */
export function packSamples(
  samples: readonly Sample[],
  sharePrefixes = false,
  promptOf?: (ids: ArrayLike<number>) => PromptSpan,
  learnFirst = false,
): PackedBatch {
  const groups = sharePrefixes
    ? prefixGroups(samples)
    : samples.map((sample) => ({ samples: [sample], shared: 0 }))
  /** Sequences of the batch: rows `from` up to `to` of a sample, behind the rows of another sequence. */
  const parts: { sample: Sample; from: number; to: number; prefix: number; whole: boolean }[] = []
  for (const { samples, shared } of groups) {
    const prefix = shared > 0 ? parts.length : -1
    if (shared > 0) parts.push({ sample: samples[0]!, from: 0, to: shared, prefix: -1, whole: false })
    for (const sample of samples)
      parts.push({ sample, from: shared, to: sample.ids.length, prefix, whole: true })
  }
  const lengths = parts.map(({ from, to }) => to - from)
  const total = lengths.reduce((sum, length) => sum + length, 0)
  const ids = new Int32Array(total)
  const positions = new Int32Array(total)
  const targets = new Int32Array(total).fill(-1)
  let at = 0
  let trainedTokens = 0
  for (const { sample, from, to } of parts) {
    ids.set(sample.ids.subarray(from, to), at)
    for (let i = from; i < to; i++, at++) {
      positions[at] = i
      const target = sample.labels[i + 1]
      if (target === undefined || target === ignoredLabel) continue
      targets[at] = target
      trainedTokens++
    }
  }
  const firstTargets = Int32Array.from(parts, ({ sample: { labels }, whole }) =>
    learnFirst && whole && labels[0] !== ignoredLabel ? labels[0]! : -1,
  )
  trainedTokens += firstTargets.filter((target) => target >= 0).length
  const batch: PackedBatch = {
    ids,
    positions,
    targets,
    lengths,
    trainedTokens,
    ...(learnFirst && { firstTargets }),
    ...(promptOf && { prompts: parts.map(({ sample }) => promptOf(sample.ids)) }),
  }
  return groups.some(({ shared }) => shared > 0)
    ? { ...batch, prefixes: parts.map(({ prefix }) => prefix) }
    : batch
}
