import { bind, intOf, textOf } from './arguments.js'
import { checkText, joinTexts, repeatText } from './budget.js'
import { formatFields } from './format.js'
import { changeVisible, cutter, hasMarks, isMark, visible } from './marks.js'
import { countIn, firstIn, lastIn } from './search.js'
import { itemsOf, TemplateError, Tuple, typeName, type Keywords, type Value } from './values.js'

// Methods of str, as Python's documentation has them.

const white = '\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000'
const isWhite = new RegExp(`^[${white}]$`)
const words = new RegExp(`[^${white}]+`, 'g')

/** Takes `chars`, or white space, off the sides; marks there stay. */
export function strip(text: string, chars: string | null, left: boolean, right: boolean): string {
  const set = chars === null ? null : new Set(visible(chars))
  const goes = (char: string) => (set ? set.has(char) : isWhite.test(char))
  const characters = hasMarks(text) || set?.size ? Array.from(text) : null
  if (!characters) {
    let [start, end] = [0, text.length]
    if (left) while (start < end && goes(text[start]!)) start++
    if (right) while (end > start && goes(text[end - 1]!)) end--
    return text.slice(start, end)
  }
  const marks = (char: string) => isMark(char.charCodeAt(0))
  let [start, end] = [0, characters.length]
  let [before, behind] = ['', '']
  if (left)
    for (; start < end && (marks(characters[start]!) || goes(characters[start]!)); start++)
      if (marks(characters[start]!)) before += characters[start]!
  if (right)
    for (; end > start && (marks(characters[end - 1]!) || goes(characters[end - 1]!)); end--)
      if (marks(characters[end - 1]!)) behind = characters[end - 1]! + behind
  return before + characters.slice(start, end).join('') + behind
}

/** Parts of a text at every `separator`, at most `most` cuts from one side; -1 for all. */
function split(text: string, separator: string | null, most: number, fromRight: boolean): string[] {
  const seen = visible(text)
  const cut = cutter(text)
  const spans: [number, number][] = []
  if (separator === null) {
    const found = [...seen.matchAll(words)].map(({ index, 0: word }): [number, number] => [
      index,
      index + word.length,
    ])
    if (most < 0 || found.length <= most + 1) return found.map(([start, end]) => cut(start, end))
    if (fromRight) {
      const kept = most === 0 ? [] : found.slice(-most)
      const end = found[found.length - most - 1]![1]
      return [cut(0, end), ...kept.map(([start, stop]) => cut(start, stop))]
    }
    const rest = found[most]![0]
    return [...found.slice(0, most).map(([start, end]) => cut(start, end)), cut(rest, seen.length)]
  }
  if (separator === '') throw new TemplateError('empty separator')
  let [start, end] = [0, seen.length]
  for (let left = most; left !== 0; left--) {
    const at = fromRight
      ? end - separator.length < 0
        ? -1
        : lastIn(seen.slice(0, end), separator)
      : firstIn(seen, separator, start)
    if (at < 0) break
    if (fromRight) {
      spans.push([at + separator.length, end])
      end = at
    } else {
      spans.push([start, at])
      start = at + separator.length
    }
  }
  spans.push(fromRight ? [0, end] : [start, seen.length])
  if (fromRight) spans.reverse()
  return spans.map(([from, to]) => cut(from, to))
}

/** What replaces every part may be much longer than the part. */
function checkReplaced(text: string, from: string, by: string): void {
  const growth = by.length - from.length
  if (growth <= 0) return
  const places = from === '' ? text.length + 1 : Math.floor(text.length / from.length)
  // Counted when it matters.
  const most = text.length + places * growth
  checkText(from === '' || most < 1 << 16 ? most : text.length + countIn(visible(text), from) * growth)
}

export function replaced(text: string, old: string, by: string, most: number): string {
  const from = visible(old)
  checkReplaced(text, from, by)
  if (!hasMarks(text) && most < 0 && from !== '' && from.length <= 32) return text.replaceAll(from, () => by)
  const seen = visible(text)
  const cut = cutter(text)
  let out = ''
  let [start, left] = [0, most < 0 ? Infinity : most]
  if (from === '') {
    for (const char of seen) {
      if (left-- > 0) out += by
      out += char
    }
    return left > 0 ? out + by : out
  }
  for (let at = firstIn(seen, from); at >= 0 && left > 0; at = firstIn(seen, from, start), left--) {
    out += cut(start, at) + by
    start = at + from.length
  }
  return out + cut(start, seen.length)
}

export const capitalized = (text: string): string =>
  changeVisible(text, (seen) => {
    const [first = '', ...rest] = seen
    return first.toUpperCase() + rest.join('').toLowerCase()
  })

/** `str.title`: every letter behind something that is no letter. */
const titled = (text: string): string =>
  changeVisible(text, (seen) =>
    seen.replace(/\p{L}[\p{L}\p{M}]*/gu, (word) => {
      const [first = '', ...rest] = word
      return first.toUpperCase() + rest.join('').toLowerCase()
    }),
  )

/** Python counts characters, JavaScript halves of those beyond U+FFFF. */
const wide = /[\ud800-\udbff][\udc00-\udfff]/
export const lengthOf = (text: string): number => {
  const seen = visible(text)
  return wide.test(seen) ? Array.from(seen).length : seen.length
}

/** Where the characters of a text begin, and its end. */
function placesOf(seen: string): (index: number) => number {
  if (!wide.test(seen)) return (index) => index
  const places = [0]
  for (const char of seen) places.push(places.at(-1)! + char.length)
  return (index) => places[Math.min(index, places.length - 1)]!
}

/** Characters from `start` to before `end`, both counted from the front and within the text. */
export function sliceText(text: string, start: number, end: number): string {
  const at = placesOf(visible(text))
  return cutter(text)(at(start), at(Math.max(start, end)))
}

const every = (pattern: RegExp) => (text: string) => pattern.test(visible(text))

function find(text: string, args: readonly Value[], fromRight: boolean): number {
  const seen = visible(text)
  const part = visible(textOf('find', args[0]))
  const at = placesOf(seen)
  const size = lengthOf(seen)
  const bound = (index: number) => Math.max(0, Math.min(size, index < 0 ? index + size : index))
  const [start, end] = [bound(intOf('find', args[1], 0)), bound(intOf('find', args[2], size))]
  const region = seen.slice(at(start), at(end))
  const found = fromRight ? lastIn(region, part) : firstIn(region, part)
  return found < 0 ? -1 : start + lengthOf(seen.slice(at(start), at(start) + found))
}

function affix(name: 'startswith' | 'endswith', text: string, args: readonly Value[]): boolean {
  const seen = visible(text)
  const parts = args[0] instanceof Tuple ? [...args[0]] : [args[0]]
  const at = placesOf(seen)
  const size = lengthOf(seen)
  const bound = (index: number) => Math.max(0, Math.min(size, index < 0 ? index + size : index))
  const [start, end] = [bound(intOf(name, args[1], 0)), bound(intOf(name, args[2], size))]
  const range = start > end ? null : seen.slice(at(start), at(end))
  return parts.some((part) => {
    if (typeof part !== 'string')
      throw new TemplateError(
        `${name} first arg must be str or a tuple of str, not ${part === undefined ? 'nothing' : typeName(part)}`,
      )
    return (
      range !== null &&
      (name === 'startswith' ? range.startsWith(visible(part)) : range.endsWith(visible(part)))
    )
  })
}

function partition(text: string, args: readonly Value[], fromRight: boolean): Tuple {
  const separator = visible(textOf('partition', args[0]))
  const parts = split(text, separator, 1, fromRight)
  if (parts.length === 1) return fromRight ? Tuple.with('', '', text) : Tuple.with(text, '', '')
  return Tuple.with(parts[0]!, separator, parts[1]!)
}

const padded = (side: 'left' | 'right' | 'both') => (text: string, args: readonly Value[]) => {
  const missing = Math.max(0, intOf('width', args[0], 0) - lengthOf(text))
  const fill = args[1] === undefined ? ' ' : visible(textOf('fillchar', args[1]))
  // Python puts the odd one of centred text in front when the width is odd.
  const before =
    side === 'right'
      ? missing
      : side === 'left'
        ? 0
        : Math.floor(missing / 2) + (missing & intOf('width', args[0], 0) & 1)
  return repeatText(fill, before) + text + repeatText(fill, missing - before)
}

type Method = (text: string, args: readonly Value[], keywords: Keywords) => Value

const splitMethod =
  (fromRight: boolean): Method =>
  (text, args, keywords) => {
    const { sep, maxsplit } = bind('split', ['sep', 'maxsplit'], args, keywords)
    const separator = sep === undefined || sep === null ? null : visible(textOf('split', sep))
    return split(text, separator, intOf('split', maxsplit, -1), fromRight)
  }

const stripMethod =
  (left: boolean, right: boolean): Method =>
  (text, args) =>
    strip(text, args[0] === undefined || args[0] === null ? null : textOf('strip', args[0]), left, right)

const index =
  (fromRight: boolean): Method =>
  (text, args) => {
    const at = find(text, args, fromRight)
    if (at < 0) throw new TemplateError('substring not found')
    return at
  }

const letters = /\p{L}/u

export const stringMethods: ReadonlyMap<string, Method> = new Map<string, Method>(
  Object.entries({
    capitalize: capitalized,
    casefold: (text) => changeVisible(text, (seen) => seen.toLowerCase().replaceAll('ß', 'ss')),
    center: padded('both'),
    count: (text, args) => split(text, visible(textOf('count', args[0])), -1, false).length - 1,
    endswith: (text, args) => affix('endswith', text, args),
    find: (text, args) => find(text, args, false),
    format: (text, args, keywords) => formatFields(text, args, keywords),
    index: index(false),
    isalnum: every(/^[\p{L}\p{N}]+$/u),
    isalpha: every(/^\p{L}+$/u),
    isdecimal: every(/^\p{Nd}+$/u),
    isdigit: every(/^[\p{Nd}²³¹⁰⁴-⁹₀-₉]+$/u),
    islower: (text) => letters.test(visible(text)) && visible(text) === visible(text).toLowerCase(),
    isnumeric: every(/^\p{N}+$/u),
    isspace: every(new RegExp(`^[${white}]+$`)),
    isupper: (text) => letters.test(visible(text)) && visible(text) === visible(text).toUpperCase(),
    join: (text, args) =>
      joinTexts(
        itemsOf(args[0] ?? null).map((item, i) => {
          if (typeof item === 'string') return item
          throw new TemplateError(`sequence item ${i}: expected str instance, ${typeName(item)} found`)
        }),
        text,
      ),
    ljust: padded('left'),
    lower: (text) => text.toLowerCase(),
    lstrip: stripMethod(true, false),
    partition: (text, args) => partition(text, args, false),
    removeprefix: (text, args) => {
      const prefix = visible(textOf('removeprefix', args[0]))
      return visible(text).startsWith(prefix) ? cutter(text)(prefix.length, visible(text).length) : text
    },
    removesuffix: (text, args) => {
      const suffix = visible(textOf('removesuffix', args[0]))
      const seen = visible(text)
      return seen.endsWith(suffix) ? cutter(text)(0, seen.length - suffix.length) : text
    },
    replace: (text, args, keywords) => {
      const { old, new: by, count } = bind('replace', ['old', 'new', 'count'], args, keywords)
      return replaced(text, textOf('replace', old), textOf('replace', by), intOf('replace', count, -1))
    },
    rfind: (text, args) => find(text, args, true),
    rindex: index(true),
    rjust: padded('right'),
    rpartition: (text, args) => partition(text, args, true),
    rsplit: splitMethod(true),
    rstrip: stripMethod(false, true),
    split: splitMethod(false),
    splitlines: (text, args) => {
      const seen = visible(text)
      const cut = cutter(text)
      const keep = args[0] === true
      const lines: Value[] = []
      let start = 0
      for (const { index: at, 0: end } of seen.matchAll(/\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/g)) {
        lines.push(cut(start, keep ? at + end.length : at))
        start = at + end.length
      }
      return start < seen.length ? [...lines, cut(start, seen.length)] : lines
    },
    startswith: (text, args) => affix('startswith', text, args),
    strip: stripMethod(true, true),
    swapcase: (text) =>
      Array.from(text, (char) =>
        char === char.toUpperCase() ? char.toLowerCase() : char.toUpperCase(),
      ).join(''),
    title: titled,
    upper: (text) => text.toUpperCase(),
    zfill: (text, args) => {
      const missing = Math.max(0, intOf('zfill', args[0], 0) - lengthOf(text))
      const zeros = repeatText('0', missing)
      return /^[+-]/.test(text) ? text[0]! + zeros + text.slice(1) : zeros + text
    },
  } satisfies Record<string, Method>),
)
