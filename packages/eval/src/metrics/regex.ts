export interface RegexOptions {
  /** Which of several matches: the first (default) or the last. */
  readonly take?: 'first' | 'last'
}

/**
 * The part of an answer that a pattern finds: its first group that took anything, the whole match where it has none; blanks around it are
 * cut off. Null where the pattern does not occur. As the filter `regex` of lm-evaluation-harness, which says "[invalid]" for null.
 */
export function extractByRegex(
  answer: string,
  pattern: RegExp,
  { take = 'first' }: RegexOptions = {},
): string | null {
  const all = pattern.global ? pattern : new RegExp(pattern.source, `${pattern.flags}g`)
  let found: RegExpMatchArray | undefined
  for (const match of answer.matchAll(all)) {
    found = match
    if (take === 'first') break
  }
  if (!found) return null
  if (found.length === 1) return found[0].trim()
  const groups = found.slice(1) as (string | undefined)[]
  const taken = groups.find((group) => group !== undefined && group !== '')
  // A single group that took nothing is an empty answer, several are none.
  return taken?.trim() ?? (groups.length === 1 ? '' : null)
}
