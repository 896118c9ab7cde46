/** Where the last whole sentence of a text ends: behind `.`, `!`, `?` and a space, their Chinese forms, or a line end. */
export function sentencesEnd(text: string): number {
  let end = 0
  for (const { index, 0: mark } of text.matchAll(/[.!?]["')\]]*\s|[。！？]["'”’）]*|\n/g))
    end = index + mark.length
  return end
}
