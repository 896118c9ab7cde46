import { createHash } from 'node:crypto'
import { exactJson } from './exact-json.js'
import { messageText, toMessages } from './conversation.js'
import type { SampleStore, StoreCounts } from './store/index.js'
import { isText, isTokenized, type Example } from '../contract/data.js'

/** How numbers are spread. Percentiles are values that occur (nearest rank). */
export interface Distribution {
  readonly count: number
  readonly sum: number
  readonly mean: number
  readonly min: number
  readonly max: number
  readonly p5: number
  readonly p25: number
  readonly p50: number
  readonly p75: number
  readonly p95: number
  readonly p99: number
  /** Counts of values in [from, to), doubling from 16 on; leading and trailing empty ones are left out. */
  readonly histogram: readonly { readonly from: number; readonly to: number; readonly count: number }[]
}

export function distribution(values: ArrayLike<number>): Distribution {
  const sorted = Float64Array.from(values).sort()
  const count = sorted.length
  const sum = sorted.reduce((total, value) => total + value, 0)
  const percentile = (p: number) => (count === 0 ? 0 : sorted[Math.max(0, Math.ceil((p / 100) * count) - 1)]!)
  const bins: { from: number; to: number; count: number }[] = []
  let at = 0
  for (let from = 0, to = 16; at < count; from = to, to *= 2) {
    const start = at
    while (at < count && sorted[at]! < to) at++
    if (bins.length > 0 || at > start) bins.push({ from, to, count: at - start })
  }
  return {
    count,
    sum,
    mean: count === 0 ? 0 : sum / count,
    min: percentile(0),
    max: percentile(100),
    p5: percentile(5),
    p25: percentile(25),
    p50: percentile(50),
    p75: percentile(75),
    p95: percentile(95),
    p99: percentile(99),
    histogram: bins,
  }
}

const scripts: readonly (readonly [name: string, letters: RegExp])[] = [
  ['Latin', /\p{Script=Latin}/gu],
  ['Han', /\p{Script=Han}/gu],
  ['Kana', /[\p{Script=Hiragana}\p{Script=Katakana}]/gu],
  ['Hangul', /\p{Script=Hangul}/gu],
  ['Cyrillic', /\p{Script=Cyrillic}/gu],
  ['Arabic', /\p{Script=Arabic}/gu],
  ['Devanagari', /\p{Script=Devanagari}/gu],
  ['Greek', /\p{Script=Greek}/gu],
  ['Hebrew', /\p{Script=Hebrew}/gu],
  ['Thai', /\p{Script=Thai}/gu],
]

/** Letters of each writing system; digits and signs belong to none. */
export function countScripts(text: string): Map<string, number> {
  const found = new Map<string, number>()
  let known = 0
  for (const [name, letters] of scripts) {
    const count = text.match(letters)?.length ?? 0
    if (count > 0) found.set(name, count)
    known += count
  }
  const others = (text.match(/\p{L}/gu)?.length ?? 0) - known
  if (others > 0) found.set('other', others)
  return found
}

export interface DataReport {
  readonly examples: number
  /** Examples word for word like an earlier one. */
  readonly duplicates: number
  /** Rounds of question and answer. */
  readonly rounds: Distribution
  /** Characters of the questions, system texts and contexts of an example, and of its answers. */
  readonly promptCharacters: Distribution
  readonly answerCharacters: Distribution
  /** Examples by the writing system of most of their letters. */
  readonly scripts: Readonly<Record<string, number>>
  readonly withSystem: number
  readonly withTools: number
}

/** Collects numbers about examples, one by one. */
export class DataStats {
  readonly #seen = new Set<string>()
  readonly #rounds: number[] = []
  readonly #prompts: number[] = []
  readonly #answers: number[] = []
  readonly #scripts = new Map<string, number>()
  #examples = 0
  #duplicates = 0
  #withSystem = 0
  #withTools = 0

  add(example: Example): void {
    this.#examples++
    const key = createHash('sha256').update(exactJson(example)).digest('base64')
    if (this.#seen.has(key)) this.#duplicates++
    else this.#seen.add(key)
    if (isTokenized(example)) return
    const messages = isText(example)
      ? [{ role: 'assistant' as const, content: example.text }]
      : toMessages(example)
    let prompt = 0
    let answer = 0
    let rounds = 0
    for (const message of messages) {
      const text = messageText(message)
      if (message.role === 'assistant') {
        answer += text.length
        rounds++
      } else prompt += text.length
    }
    if (messages.some(({ role }) => role === 'system')) this.#withSystem++
    if ('tools' in example && example.tools !== undefined) this.#withTools++
    this.#rounds.push(rounds)
    this.#prompts.push(prompt)
    this.#answers.push(answer)
    let main = 'none'
    let most = 0
    for (const [script, count] of countScripts(messages.map(messageText).join(' ')))
      if (count > most) [main, most] = [script, count]
    this.#scripts.set(main, (this.#scripts.get(main) ?? 0) + 1)
  }

  report(): DataReport {
    return {
      examples: this.#examples,
      duplicates: this.#duplicates,
      rounds: distribution(this.#rounds),
      promptCharacters: distribution(this.#prompts),
      answerCharacters: distribution(this.#answers),
      scripts: Object.fromEntries([...this.#scripts].sort((a, b) => b[1] - a[1])),
      withSystem: this.#withSystem,
      withTools: this.#withTools,
    }
  }
}

export interface TokenReport {
  readonly samples: number
  readonly tokens: Distribution
  readonly trainedTokens: Distribution
  /** Learned tokens of all tokens. */
  readonly trainedShare: number
  readonly counts: StoreCounts
}

/** Numbers about the samples that examples became. */
export function tokenStats(store: SampleStore): TokenReport {
  const all = (of: (index: number) => number) =>
    distribution(Float64Array.from({ length: store.count }, (_, i) => of(i)))
  return {
    samples: store.count,
    tokens: all((i) => store.length(i)),
    trainedTokens: all((i) => store.trained(i)),
    trainedShare: store.tokens === 0 ? 0 : store.trainedTokens / store.tokens,
    counts: store.counts,
  }
}
