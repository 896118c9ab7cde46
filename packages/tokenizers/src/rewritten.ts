/** Replaces UTF-16 code units `at` to `end` of a text by `value`. */
export interface Edit {
  readonly at: number
  readonly end: number
  readonly value: string
}

/** A text after replacements, with the place in the text before them of each of its code units. */
export interface Rewritten {
  readonly text: string
  /** Offsets [n, 2] in `text` as offsets in the text before. */
  original(offsets: Int32Array): Int32Array
}

/**
 * Applies edits in the order of their places, which do not overlap. A replacement maps to the whole part that it
 * replaced.
 */
export function rewrite(before: string, edits: readonly Edit[]): Rewritten {
  if (edits.length === 0) return { text: before, original: (offsets) => offsets }
  const parts: string[] = []
  let from = 0
  let length = 0
  for (const { at, end, value } of edits) {
    parts.push(before.slice(from, at), value)
    length += at - from + value.length
    from = end
  }
  parts.push(before.slice(from))
  length += before.length - from
  const text = parts.join('')
  const original = (offsets: Int32Array): Int32Array => {
    const starts = new Int32Array(length + 1)
    const ends = new Int32Array(length + 1)
    let [read, write] = [0, 0]
    const keep = (until: number) => {
      for (; read < until; write++) {
        starts[write] = read++
        ends[write] = read
      }
    }
    for (const { at, end, value } of edits) {
      keep(at)
      starts.fill(at, write, write + value.length)
      ends.fill(end, write, write + value.length)
      write += value.length
      read = end
    }
    keep(before.length)
    starts[length] = before.length
    return offsets.map((offset, i) => {
      if (i % 2 === 0) return starts[offset]!
      return offset === offsets[i - 1] ? starts[offset]! : ends[offset - 1]!
    })
  }
  return { text, original }
}
