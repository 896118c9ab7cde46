/** A function that takes every occurrence of the marks out of a text and trims it: `</s>`, `<eoa>`, `CAMEL_TASK_DONE`. */
export const without =
  (...marks: readonly string[]) =>
  (text: string): string =>
    marks.reduce((rest, mark) => (mark === '' ? rest : rest.replaceAll(mark, '')), text).trim()

/** A function that cuts a text where the first of the marks begins. */
export const before =
  (...marks: readonly string[]) =>
  (text: string): string => {
    const places = marks.map((mark) => (mark === '' ? -1 : text.indexOf(mark))).filter((at) => at >= 0)
    return places.length > 0 ? text.slice(0, Math.min(...places)).trimEnd() : text
  }

/** Wikipedia's references `[12]`, `[a]`, `[note 3]`, `[citation needed]` taken out. Brackets behind a word of code, `a[1]`, stay. */
export const withoutReferences = (text: string): string =>
  text.replace(
    /(?<=[.,;:!?"'”’)\]]|[\p{L}\d]{2}|^)\[(?:\d{1,3}|[a-z]|note \d{1,3}|citation needed|better source needed|update|when\?|who\?|clarification needed)\]/gu,
    '',
  )

/** Line breaks that a file writes as the two characters `\n`. */
export const decodeBreaks = (text: string): string => text.replaceAll('\\n', '\n')
