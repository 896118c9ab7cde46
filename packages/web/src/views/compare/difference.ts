/** A stretch of one side's text. */
export interface Part {
  readonly text: string
  /** Whether this side alone has it. */
  readonly only: boolean
}

export interface Difference {
  readonly a: readonly Part[]
  readonly b: readonly Part[]
  /** Share of the words of both that one side alone has. */
  readonly changed: number
}

/** Words with the spaces behind them; Chinese and Japanese by character. */
export const wordsOf = (text: string): readonly string[] =>
  text.match(
    /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]\s*|[\p{L}\p{N}_'’]+\s*|[^\p{L}\p{N}\s]\s*|\s+/gu,
  ) ?? []

/** The most comparisons of words; beyond it what lies between the common beginning and end counts as different. */
const most = 4_000_000

/**
 * What differs between two texts, by words: the longest common subsequence is common, the rest is of one side. A common stretch of one short
 * word between two marks is joined to them, since a mark that is broken by "a" reads worse than one that is not.
 */
export function difference(textA: string, textB: string): Difference {
  const a = wordsOf(textA)
  const b = wordsOf(textB)
  const common = joined(a, b, pairs(a, b))
  const [inA, inB] = [new Set(common.map(([i]) => i)), new Set(common.map(([, j]) => j))]
  const words = a.length + b.length
  return {
    a: parts(a, inA),
    b: parts(b, inB),
    changed: words === 0 ? 0 : (words - 2 * common.length) / words,
  }
}

/** Spaces behind a word are no difference. */
const isSame = (a: string, b: string): boolean => a.trimEnd() === b.trimEnd()

type Pair = readonly [number, number]

/** Places of words that both have, in order. */
function pairs(a: readonly string[], b: readonly string[]): readonly Pair[] {
  let start = 0
  while (start < a.length && start < b.length && isSame(a[start]!, b[start]!)) start++
  let end = 0
  while (
    end < a.length - start &&
    end < b.length - start &&
    isSame(a[a.length - 1 - end]!, b[b.length - 1 - end]!)
  )
    end++
  const head: Pair[] = Array.from({ length: start }, (_, i) => [i, i])
  const tail: Pair[] = Array.from({ length: end }, (_, i) => [a.length - end + i, b.length - end + i])
  const rows = a.length - start - end
  const columns = b.length - start - end
  if (rows * columns === 0 || rows * columns > most) return [...head, ...tail]
  // Lengths of the longest common subsequence of what is behind each pair of places.
  const lengths = new Uint16Array((rows + 1) * (columns + 1))
  const at = (i: number, j: number) => i * (columns + 1) + j
  for (let i = rows - 1; i >= 0; i--)
    for (let j = columns - 1; j >= 0; j--)
      lengths[at(i, j)] = isSame(a[start + i]!, b[start + j]!)
        ? lengths[at(i + 1, j + 1)]! + 1
        : Math.max(lengths[at(i + 1, j)]!, lengths[at(i, j + 1)]!)
  const middle: Pair[] = []
  for (let i = 0, j = 0; i < rows && j < columns;) {
    if (isSame(a[start + i]!, b[start + j]!)) middle.push([start + i++, start + j++])
    else if (lengths[at(i + 1, j)]! >= lengths[at(i, j + 1)]!) i++
    else j++
  }
  return [...head, ...middle, ...tail]
}

/** Letters of a word that is joined to the marks around it. */
const short = 3

/** Without the stretches of one short word that stand between differences of both sides or one. */
function joined(a: readonly string[], b: readonly string[], common: readonly Pair[]): readonly Pair[] {
  return common.filter(([i, j], k) => {
    const [before, behind] = [common[k - 1], common[k + 1]]
    const startsRun = before === undefined ? i > 0 || j > 0 : before[0] < i - 1 || before[1] < j - 1
    const endsRun =
      behind === undefined ? i < a.length - 1 || j < b.length - 1 : behind[0] > i + 1 || behind[1] > j + 1
    // At the beginning or end of a text there is a mark on one side of it only.
    const isBetween = startsRun && endsRun
    return !(isBetween && a[i]!.trim().length <= short)
  })
}

function parts(words: readonly string[], common: ReadonlySet<number>): readonly Part[] {
  const found: { text: string; only: boolean }[] = []
  for (const [i, word] of words.entries()) {
    const only = !common.has(i)
    const last = found[found.length - 1]
    if (last?.only === only) last.text += word
    else found.push({ text: word, only })
  }
  return found
}

/** Characters that two texts begin with alike, up to the end of a word: what is settled while both are written. */
export function settled(textA: string, textB: string): number {
  const [a, b] = [wordsOf(textA), wordsOf(textB)]
  let length = 0
  for (let i = 0; i < a.length && a[i] === b[i]; i++) length += a[i]!.length
  return length
}

/** Entries that two lists begin with alike. */
export function commonBeginning<T>(a: readonly T[], b: readonly T[]): number {
  let length = 0
  while (length < a.length && length < b.length && a[length] === b[length]) length++
  return length
}

/** Whether any four tokens in a row come twice. */
export function repeatsFour(tokens: readonly string[]): boolean {
  const seen = new Set<string>()
  for (let i = 0; i + 4 <= tokens.length; i++) {
    const four = tokens.slice(i, i + 4).join('\u0000')
    if (seen.has(four)) return true
    seen.add(four)
  }
  return false
}
