import { IftError } from '@ift/tensor'
import type { Amount } from './turns.js'

/** What an entry of `data` says about how much of it a mixture takes. */
export interface Portion {
  /** How often the samples are taken relative to their number: 2 twice, 0.5 half of them. */
  readonly weight?: number | undefined
  /** Part of all samples of an epoch, above 0 and up to 1; in place of `weight`, `cap` and `tokens`. */
  readonly share?: number | undefined
  /** Samples of an epoch at most. */
  readonly cap?: number | undefined
  /** Tokens of an epoch at most, and one sample at least. */
  readonly tokens?: number | undefined
}

/** A part of a mixture as far as its amount depends on it. */
export interface PortionRows {
  readonly name: string
  readonly portion: Portion
  /** Parts with the same number divide what their entry is given by their size; a composite has several. */
  readonly entry: number
  /** Samples to take from. */
  readonly rows: number
  /** Tokens of all of them; asked for where tokens are limited. */
  readonly tokens: () => number
  /** Samples that an amount gives in the first epoch; asked for where others have shares. */
  readonly taken: (amount: Amount) => number
}

/** Samples that an epoch may have: their numbers are 32 bits wide. */
const mostSamples = 0x7fffffff

/** Shares that were rounded still add up to the whole. */
const tolerance = 1e-9

/** What the shares of a mixture's entries add up to, and what they should; null when they can hold. */
export function shareFault(portions: readonly Portion[]): { expected: string; found: number } | null {
  const shares = portions.flatMap(({ share }) => (share === undefined ? [] : [share]))
  const sum = shares.reduce((total, share) => total + share, 0)
  const found = Number(sum.toPrecision(6))
  if (sum > 1 + tolerance) return { expected: 'shares that add up to at most 1', found }
  if (sum >= 1 - tolerance && shares.length < portions.length)
    return {
      expected: 'shares that add up to less than 1, which leaves something for the entries without one',
      found,
    }
  return null
}

/** Divides a whole number in proportion to `weights`: each part is within one of its quota, and the sum is exact. */
export function divide(total: number, weights: readonly number[]): number[] {
  const sum = weights.reduce((all, weight) => all + weight, 0)
  const quotas = weights.map((weight) => (sum > 0 ? (total / sum) * weight : 0))
  const parts = quotas.map(Math.floor)
  const left = sum > 0 ? total - parts.reduce((all, part) => all + part, 0) : 0
  const byRemainder = quotas
    .map((quota, i) => ({ i, remainder: quota - parts[i]! }))
    .sort((a, b) => b.remainder - a.remainder || a.i - b.i)
  for (const { i } of byRemainder.slice(0, Math.max(0, left))) parts[i]!++
  return parts
}

/** Rows of each part by its weight, or of a part that has any at least one. */
const weighted = ({ rows, portion: { weight = 1 } }: PortionRows) =>
  rows === 0 ? 0 : Math.max(1, Math.round(rows * weight))

/** Amounts of the parts of an entry without a share. */
function ownAmounts(parts: readonly PortionRows[]): Amount[] {
  const { cap = Infinity, tokens } = parts[0]!.portion
  const wanted = parts.map(weighted)
  const sum = wanted.reduce((all, rows) => all + rows, 0)
  const rows = sum > cap ? divide(cap, wanted) : wanted
  if (tokens === undefined) return rows.map((own) => ({ rows: own }))
  const expected = parts.map((part, p) => (part.rows === 0 ? 0 : (part.tokens() / part.rows) * rows[p]!))
  const budgets = parts.length === 1 ? [tokens] : divide(tokens, expected)
  return rows.map((own, p) => ({ rows: own, tokens: budgets[p]! }))
}

/**
 * How much an epoch takes of each part. An entry without a share gives its samples times its weight, as far as `cap` and
 * `tokens` let it. Entries with shares get so many that their shares hold beside these. Where all have shares, or nothing
 * else has a sample, shares are proportions, and an epoch is the longest that takes no sample twice.
 */
export function amountsOf(parts: readonly PortionRows[]): Amount[] {
  const entries = [...new Set(parts.map(({ entry }) => entry))].map((entry) => {
    const own = parts.flatMap((part, index) => (part.entry === entry ? [{ part, index }] : []))
    const rows = own.reduce((sum, { part }) => sum + part.rows, 0)
    return { own, rows, portion: own[0]!.part.portion }
  })
  const fault = shareFault(entries.map(({ portion }) => portion))
  if (fault !== null)
    throw new IftError(
      'IFT_DATA_WEIGHT',
      `data: expected ${fault.expected}, found ${fault.found}.`,
      'Lower the shares, or give every entry one and let them add up to 1.',
    )
  const amounts = parts.map((): Amount => ({ rows: 0 }))
  let others = 0
  for (const { own, portion } of entries) {
    if (portion.share !== undefined) continue
    for (const [i, amount] of ownAmounts(own.map(({ part }) => part)).entries()) {
      const { part, index } = own[i]!
      amounts[index] = amount
      others += part.taken(amount)
    }
  }
  const shared = entries.filter(({ portion }) => portion.share !== undefined)
  const shares = shared.map(({ portion }) => portion.share!)
  const sum = shares.reduce((all, share) => all + share, 0)
  // A whole number that was computed inexactly is still that number.
  const longest = Math.min(...shared.map(({ rows }, i) => (rows * sum) / shares[i]!)) * (1 + 1e-12)
  const total = others > 0 ? Math.round((others * sum) / (1 - sum)) : Math.floor(longest)
  if (shared.length > 0)
    for (const [s, rows] of divide(total, shares).entries()) {
      const { own } = shared[s]!
      const byPart = divide(
        Math.max(1, rows),
        own.map(({ part }) => part.rows),
      )
      for (const [i, { index }] of own.entries()) amounts[index] = { rows: byPart[i]! }
    }
  const all = amounts.reduce((most, { rows }) => most + rows, 0)
  if (all > mostSamples) {
    const [{ rows }, { name }] = amounts
      .map((amount, i) => [amount, parts[i]!] as const)
      .reduce((most, one) => (one[0].rows > most[0].rows ? one : most))
    throw new IftError(
      'IFT_DATA_WEIGHT',
      `data: expected a mixture of at most ${mostSamples} samples, found ${all}, ${rows} of them of "${name}".`,
      'Lower the weight or the share, or set a cap.',
    )
  }
  return amounts
}
