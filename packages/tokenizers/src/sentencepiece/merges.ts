import { pieceType, type SentencePieceModel } from './model.js'
import { PieceTable } from './piece-table.js'

interface Merge {
  readonly left: string
  readonly right: string
  readonly whole: string
  readonly score: number
}

/** Merges of a BPE, and the ranges [from, to) of those among which the leftmost in the text goes first. */
export interface RankedMerges {
  readonly merges: [string, string][]
  readonly ties: [number, number][]
}

const characters = (text: string) => Array.from(text).length

/** The one character that a text repeats, or null. */
function repeated(text: string): string | null {
  const [first = ''] = text
  return text === first.repeat(text.length / first.length) ? first : null
}

/** Whether texts are runs of one and the same character. */
const sameRun = (...texts: string[]) =>
  repeated(texts[0]!) !== null && new Set(texts.map(repeated)).size === 1

/**
 * Merges that give what SentencePiece's scores give: every way to split a piece into two, by score. Only normal pieces are
 * ever put together. Among pairs of equal score SentencePiece takes the leftmost, for which a list has no word. The longer
 * left half and then the longer right half first is the same for runs of one character, which grow from the left; where the
 * order could make a difference (`orderDecides`) the range of equal scores is a tie.
 */
export function bpeMerges({ pieces }: Pick<SentencePieceModel, 'pieces'>): RankedMerges {
  const ids = new Map<string, number>()
  for (const [id, { text, type }] of pieces.entries()) if (type === pieceType.normal) ids.set(text, id)
  const byScore = [...ids.values()].sort((a, b) => pieces[b]!.score - pieces[a]!.score)
  const texts = byScore.map((id) => pieces[id]!.text)
  const table = new PieceTable(texts)
  const merges: Merge[] = []
  /** Ranges of equal score in which several pieces are made. */
  const groups: [number, number][] = []
  for (let from = 0, to: number; from < byScore.length; from = to) {
    const { score } = pieces[byScore[from]!]!
    const start = merges.length
    let made = 0
    for (to = from; to < byScore.length && pieces[byScore[to]!]!.score === score; to++) {
      const before = merges.length
      const whole = texts[to]!
      table.eachSplit(whole, (left, right) => {
        merges.push({ left: texts[left]!, right: texts[right]!, whole, score })
      })
      if (merges.length > before) made++
    }
    // One piece alone lies in order, and only one of its splits is ever the last merge that makes it.
    if (made > 1) groups.push([start, merges.length])
  }
  if (groups.length === 0) return { merges: pairsOf(merges), ties: [] }

  const lengths = new Map([...ids.keys()].map((text) => [text, characters(text)]))
  const longer = (a: string, b: string) => lengths.get(b)! - lengths.get(a)!
  const earlier = (a: string, b: string) => ids.get(a)! - ids.get(b)!
  const inOrder = (a: Merge, b: Merge) =>
    longer(a.left, b.left) || longer(a.right, b.right) || earlier(a.left, b.left) || earlier(a.right, b.right)
  for (const [from, to] of groups)
    for (const [i, merge] of merges.slice(from, to).sort(inOrder).entries()) merges[from + i] = merge
  const byLeft = groupBy(merges, ({ left }) => left)
  const byRight = groupBy(merges, ({ right }) => right)
  const scores = new Map([...ids].map(([text, id]) => [text, pieces[id]!.score]))
  const ties = groups.filter(([from, to]) => {
    const group = merges.slice(from, to)
    if (!orderDecides(group, byLeft, byRight)) return false
    const reached = group.filter(({ whole, left }) => lastLeft(whole, scores) === left)
    return orderDecides(reached, byLeft, byRight)
  })
  return { merges: pairsOf(merges), ties }
}

const pairsOf = (merges: readonly Merge[]) => merges.map(({ left, right }): [string, string] => [left, right])

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const group = groups.get(keyOf(item))
    if (group) group.push(item)
    else groups.set(keyOf(item), [item])
  }
  return groups
}

/**
 * The left half of the last merge that makes a piece; null where no merges make it. The text around a piece does not
 * matter: if it had merged with a character of the piece, the piece would not arise.
 */
function lastLeft(piece: string, scores: ReadonlyMap<string, number>): string | null {
  const symbols = Array.from(piece)
  while (symbols.length > 2) {
    let best = -1
    let most = -Infinity
    for (let at = 0; at + 1 < symbols.length; at++) {
      const score = scores.get(symbols[at]! + symbols[at + 1]!) ?? -Infinity
      if (score > most) [best, most] = [at, score]
    }
    if (best < 0) return null
    symbols.splice(best, 2, symbols[best]! + symbols[best + 1]!)
  }
  return symbols[0] ?? null
}

/** Products in a group of equal score beyond which it is taken for one whose order decides. */
const fewProducts = 64

/**
 * Whether merges of one score, taken in the order of the list, can give something else than the leftmost first. Two that lie
 * apart in a text do not disturb each other. It takes two, the right one in front in the list, that share a piece; or further
 * merges that go before the one of them once the other is done, and reach the piece that it needs.
 */
function orderDecides(
  group: readonly Merge[],
  byLeft: ReadonlyMap<string, readonly Merge[]>,
  byRight: ReadonlyMap<string, readonly Merge[]>,
): boolean {
  if (group.length < 2) return false
  const { score } = group[0]!
  const products = [...new Set(group.map(({ whole }) => whole))]
  if (products.length > fewProducts && !products.every(repeated)) return true
  // A piece that many others begin with is the left half of as many merges, and of few with this score.
  const inGroup = groupBy(
    group.map(({ left, whole }, at) => ({ left, whole, at })),
    ({ left }) => left,
  )
  return group.some((merge, i) => {
    const others = (from: number, to: number) =>
      products.length === 1 ? products : group.slice(from, to).map(({ whole }) => whole)
    const shared = inGroup.get(merge.right)?.some(({ at, whole }) => at < i && !sameRun(merge.whole, whole))
    if (shared) return true
    // Lists by piece are in the order of the scores.
    if (i < group.length - 1) {
      const later = others(i + 1, group.length)
      for (const { left, whole, score: above } of byRight.get(merge.left) ?? []) {
        if (above < score) break
        if (later.some((product) => left.includes(product)) && !sameRun(whole, merge.whole)) return true
      }
    }
    if (i > 0) {
      const earlier = others(0, i)
      for (const { right, whole, score: above } of byLeft.get(merge.right) ?? []) {
        if (above <= score) break
        if (earlier.some((product) => right.includes(product)) && !sameRun(whole, merge.whole)) return true
      }
    }
    return false
  })
}
