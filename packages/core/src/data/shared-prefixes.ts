import { ignoredLabel } from './encode.js'
import type { Sample } from '../contract/data.js'

/** Samples that begin alike, and how many of their first tokens a micro-batch computes once. */
export interface PrefixGroup {
  readonly samples: readonly Sample[]
  /** Tokens shared by all of them; 0 for a sample on its own. */
  readonly shared: number
}

/** A shorter beginning is not worth the copies of its keys and values. */
const fewest = 8

/** Tokens of a sample that others may share: none of them predicts, and one at least stays its own. */
function limitOf({ ids, labels }: Sample): number {
  const first = labels.findIndex((label, i) => i > 0 && label !== ignoredLabel)
  return Math.max(0, first < 0 ? ids.length - 1 : first - 1)
}

/**
 * The samples in groups with a common beginning (the template's text before the instruction, a system prompt), so that
 * the fewest tokens are left: sorted by their ids, groups are neighbours, and the best cut is found by dynamic programming.
 */
export function prefixGroups(samples: readonly Sample[]): PrefixGroup[] {
  const sorted = samples
    .map((sample, order) => ({ sample, order, limit: limitOf(sample) }))
    .sort((a, b) => compare(a.sample.ids, b.sample.ids) || a.order - b.order)
  const n = sorted.length
  /** common[i]: tokens that i shares with the one before it. */
  const common = sorted.map(({ sample, limit }, i) => {
    const before = sorted[i - 1]
    if (!before) return 0
    const most = Math.min(limit, before.limit)
    let length = 0
    while (length < most && sample.ids[length] === before.sample.ids[length]) length++
    return length
  })
  /** Most tokens saved among the first j, and where the last group of that cut begins. */
  const saved = new Float64Array(n + 1)
  const begin = new Int32Array(n + 1)
  for (let j = 1; j <= n; j++) {
    saved[j] = saved[j - 1]!
    begin[j] = j - 1
    let least = Infinity
    for (let i = j - 2; i >= 0; i--) {
      least = Math.min(least, common[i + 1]!)
      if (least < fewest) break
      const value = saved[i]! + least * (j - i - 1)
      if (value > saved[j]!) {
        saved[j] = value
        begin[j] = i
      }
    }
  }
  const groups: PrefixGroup[] = []
  for (let end = n; end > 0; end = begin[end]!) {
    const members = sorted.slice(begin[end], end)
    const shared = members.length > 1 ? Math.min(...common.slice(begin[end]! + 1, end)) : 0
    groups.push({ samples: members.map(({ sample }) => sample), shared })
  }
  return groups.reverse()
}

function compare(a: Int32Array, b: Int32Array): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return a.length - b.length
}
