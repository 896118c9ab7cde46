import picomatch from 'picomatch'
import { suggest } from '../suggest.js'

/** The most names that `{00000..01023}` stands for. */
const mostRange = 1 << 16

const escaped = (text: string) => text.replace(/\\?(\W)/g, '\\$1')

/** Numbers from the one to the other, as wide as they are written, or letters, as bash has them; what is no such range is a text. */
function expandRange(from: string, to: string, step: unknown): string {
  const isNumber = /^\d+$/.test(from) && /^\d+$/.test(to)
  const [first, last] = isNumber ? [Number(from), Number(to)] : [from.charCodeAt(0), to.charCodeAt(0)]
  const isRange =
    typeof step !== 'string' &&
    (isNumber || (from.length === 1 && to.length === 1)) &&
    Math.abs(last - first) < mostRange
  if (!isRange) return `\\{${escaped([from, to, ...(typeof step === 'string' ? [step] : [])].join('..'))}\\}`
  const width = from.startsWith('0') || to.startsWith('0') ? Math.max(from.length, to.length) : 1
  const names = Array.from({ length: Math.abs(last - first) + 1 }, (_, i) => {
    const value = first + Math.sign(last - first) * i
    return isNumber ? String(value).padStart(width, '0') : String.fromCharCode(value)
  })
  return `(?:${names.map(escaped).join('|')})`
}

/** Signs that the library reads as more than themselves: groups, quotes, and what repeats or denies the sign or group at its side. */
const literal = /^[()|"'+@!$^]$/

/** The pattern as the library reads it: parts in escapes and brackets as they are, brackets denied by `^`, and braces that none closes as text. */
function forLibrary(pattern: string): string {
  const parts = pattern.match(/\\.|\[[!^]?\]?[^\]]*\]|./gsu) ?? []
  const open: number[] = []
  const out = parts.map((part, i) => {
    if (part === '{') open.push(i)
    if (part === '}' && open.pop() === undefined) return '\\}'
    return literal.test(part) ? `\\${part}` : part.replace(/^\[!/, '[^')
  })
  for (const i of open) out[i] = '\\{'
  return out.join('')
}

/** Whether a text is a pattern of file names: `*.jsonl`, `data/train-[0-9].parquet`, `part-{00..11}.json`. */
export const isPattern = (text: string): boolean => /[*?[\]{}]/.test(text)

/**
 * Matches paths with '/' between folders by a pattern of a shell: `*` and `?` stay within a folder, `**` goes through folders, `[a-z]`,
 * `{a,b}` and `{00..11}` are what they are in bash; other signs, such as those of `rows (1)*.json`, are themselves. Names that begin with a
 * dot are matched by patterns that begin so.
 */
export function pathMatcher(pattern: string): (path: string) => boolean {
  const matches = picomatch(forLibrary(pattern), { nonegate: true, noextglob: true, expandRange })
  // The library's function takes more arguments, and `filter` gives it some.
  return (path) => matches(path)
}

/** For a message: some of the names that there are, those first that the pattern may have meant. */
export function nearestNames(pattern: string, names: readonly string[], most = 5): string {
  if (names.length === 0) return 'none'
  const wanted = pattern.replace(/[*?[\]{}]+/g, '')
  const best = suggest(wanted, names)
  const first = best === null ? names : [best, ...names.filter((name) => name !== best)]
  return first.slice(0, most).join(', ') + (names.length > most ? ` and ${names.length - most} more` : '')
}
