/** A piece of a text; new ones are not in the text before. */
export interface Piece {
  readonly text: string
  readonly isNew: boolean
}

/** Words with the space behind them; each Chinese character is one. */
const wordsOf = (text: string): string[] => text.match(/\p{Script=Han}|[^\s\p{Script=Han}]+\s*|\s+/gu) ?? []

/** Beyond this many pairs of words a comparison takes too long for a pointer that passes by. */
const mostPairs = 1_000_000

/** Which words of a text are new against one before: what is outside their longest common subsequence. */
export function differing(before: string, now: string): Piece[] {
  const [a, b] = [wordsOf(before), wordsOf(now)]
  const isSame = (i: number, j: number) => a[i]!.trim() === b[j]!.trim()
  let start = 0
  while (start < a.length && start < b.length && isSame(start, start)) start++
  let [endA, endB] = [a.length, b.length]
  while (endA > start && endB > start && isSame(endA - 1, endB - 1)) [endA, endB] = [endA - 1, endB - 1]
  const kept = new Set<number>()
  const [rows, columns] = [endA - start, endB - start]
  if (rows * columns <= mostPairs) {
    const width = columns + 1
    const lengths = new Uint32Array((rows + 1) * width)
    for (let i = rows - 1; i >= 0; i--)
      for (let j = columns - 1; j >= 0; j--)
        lengths[i * width + j] = isSame(start + i, start + j)
          ? lengths[(i + 1) * width + j + 1]! + 1
          : Math.max(lengths[(i + 1) * width + j]!, lengths[i * width + j + 1]!)
    for (let [i, j] = [0, 0]; i < rows && j < columns;)
      if (isSame(start + i, start + j)) {
        kept.add(start + j)
        i++
        j++
      } else if (lengths[(i + 1) * width + j]! >= lengths[i * width + j + 1]!) i++
      else j++
  }
  const pieces: Piece[] = []
  b.forEach((text, j) => {
    const isNew = j >= start && j < endB && !kept.has(j)
    const last = pieces.at(-1)
    if (last?.isNew === isNew) pieces[pieces.length - 1] = { text: last.text + text, isNew }
    else pieces.push({ text, isNew })
  })
  return pieces
}
