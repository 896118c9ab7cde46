export interface TableLimit {
  /** At most so many rows below the header. */
  readonly rows?: number
  /** At most so many characters; rows are left out from the end. */
  readonly characters?: number
  /** Rows, counted from 0 below the header, that are never left out. */
  readonly keep?: readonly number[]
}

/** A table as text, and how many of its rows were left out. */
export interface TableText {
  readonly text: string
  readonly omitted: number
}

/** Lines within limits: the first ones, and those that must be kept. `other` is the length of what stands around them. */
export function cutRows(
  lines: readonly string[],
  { rows = Infinity, characters = Infinity, keep = [] }: TableLimit,
  other: number,
): readonly string[] {
  const must = new Set(keep)
  const left = { rows, characters: characters - other }
  const use = (line: string) => {
    left.rows--
    left.characters -= line.length + 1
  }
  for (const [i, line] of lines.entries()) if (must.has(i)) use(line)
  let full = false
  return lines.filter((line, i) => {
    if (must.has(i)) return true
    full ||= left.rows < 1 || left.characters < line.length + 1
    if (!full) use(line)
    return !full
  })
}
