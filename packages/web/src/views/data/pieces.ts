import type { RowPiece } from '../../api/types.js'

/** Tokens in a row that look the same: drawn as one element. */
export interface Segment {
  readonly text: string
  readonly trained: boolean
  readonly special: boolean
  readonly cut: boolean
}

/** A row as text: neighbours with the same mask are one, specials stand alone. */
export function segmentsOf(pieces: readonly RowPiece[]): Segment[] {
  const segments: Segment[] = []
  for (const { text, trained, special, cut } of pieces) {
    const last = segments.at(-1)
    if (last && !special && !last.special && last.trained === trained && last.cut === cut)
      segments[segments.length - 1] = { ...last, text: last.text + text }
    else if (text !== '' || special) segments.push({ text, trained, special, cut })
  }
  return segments
}

/** Pieces of one character: a chip whose ids are all of them. */
export interface Chip extends Segment {
  readonly ids: readonly number[]
}

/** A row as tokens: those that hold parts of one character are one chip, at the one that completes it. */
export function chipsOf(pieces: readonly RowPiece[]): Chip[] {
  const chips: Chip[] = []
  let ids: number[] = []
  pieces.forEach(({ id, text, trained, special, cut }, i) => {
    ids.push(id)
    // Empty text: the character goes on, unless the mask or the row ends here.
    const next = pieces[i + 1]
    const goesOn = text === '' && !special && next?.trained === trained && next.cut === cut && !next.special
    if (goesOn) return
    chips.push({ text, trained, special, cut, ids })
    ids = []
  })
  return chips
}

/** A text with the ends of its lines shown; marks are for the eye alone. */
export function withMarks(text: string): { text: string; mark: boolean }[] {
  return text.split(/(\r\n|\r|\n)/).flatMap((part) =>
    part === ''
      ? []
      : /^[\r\n]/.test(part)
        ? [
            { text: '↵', mark: true },
            { text: '\n', mark: false },
          ]
        : [{ text: part, mark: false }],
  )
}
