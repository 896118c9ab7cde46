const space = 1
const ignored = 2
/** . , : between digits */
const joint = 3
const minus = 4
/** * / between operands */
const operator = 5
/** # behind a letter: C# */
const sharp = 6
const digit = 7
/** A character of a script that is written without spaces between words. */
export const unspaced = 8

/**
 * Scripts without spaces between words: Chinese and Japanese, Thai, Lao, Burmese, Khmer. A word of them is not to be told from its
 * neighbours without a dictionary, so that each character counts.
 */
const unspacedScripts =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Myanmar}\p{Script=Khmer}ー]/u

const own: Readonly<Record<string, number>> = {
  '.': joint,
  ',': joint,
  ':': joint,
  '-': minus,
  '*': operator,
  '/': operator,
  '#': sharp,
  // Signs of numbers, names and formulas: 5 %, R&D, \frac.
  '%': 0,
  '&': 0,
  '@': 0,
  '\\': 0,
  '`': space,
}

function kindOf(character: string): number {
  if (Object.hasOwn(own, character)) return own[character]!
  if (/\p{Default_Ignorable_Code_Point}/u.test(character)) return ignored
  if (/[\p{P}\p{Z}\p{Cc}]/u.test(character)) return space
  if (/[0-9]/.test(character)) return digit
  return unspacedScripts.test(character) ? unspaced : 0
}

let kinds: Uint8Array | undefined

/** Kind of each UTF-16 code unit; of the planes above the first, the ideographic ones. */
export function characterKinds(): Uint8Array {
  if (kinds) return kinds
  kinds = new Uint8Array(0x10000)
  for (let code = 0; code < 0x10000; code++)
    if (code < 0xd800 || code > 0xdfff) kinds[code] = kindOf(String.fromCharCode(code))
  // Planes 2 and 3.
  kinds.fill(unspaced, 0xd840, 0xd8c0)
  return kinds
}

const isBlank = (code: number) => code === 0x20 || code === 0x09

/** Whether the sign at `at` has operands on both sides, at the same distance: 3 * 4 and a/b, but neither a list's item nor *emphasis*. */
function isBetween(text: string, at: number, of: Uint8Array, onlyNumbers: boolean): boolean {
  let left = at - 1
  while (left >= 0 && isBlank(text.charCodeAt(left))) left--
  let right = at + 1
  while (right < text.length && isBlank(text.charCodeAt(right))) right++
  if (left < 0 || right >= text.length || (left === at - 1) !== (right === at + 1)) return false
  const [before, after] = [text.charCodeAt(left), text.charCodeAt(right)]
  const number = (code: number) => of[code] === digit
  if (onlyNumbers) return number(after) && (number(before) || of[before] === 0)
  const operand = (code: number, bracket: number) =>
    number(code) || of[code] === 0 || of[code] === unspaced || code === bracket
  return operand(before, 0x29) && operand(after, 0x28)
}

let buffer = new Uint16Array(4096)

/**
 * What is compared of a text: NFKC, lower case, without punctuation, one space between words and none beside characters of scripts that
 * have no spaces. Signs that change the meaning stay: those of arithmetic and of numbers, `C#`, `5 %`. A text of nothing but
 * punctuation is compared as it is.
 */
export function normalise(text: string): string {
  const of = characterKinds()
  // Most texts are ASCII, which has one form.
  const folded = (/^[\0-\x7f]*$/.test(text) ? text : text.normalize('NFKC')).toLowerCase()
  if (buffer.length < 2 * folded.length) buffer = new Uint16Array(2 * folded.length)
  let length = 0
  let gap = false
  let last = space
  for (let i = 0; i < folded.length; i++) {
    const code = folded.charCodeAt(i)
    let kind = of[code]!
    if (kind === ignored) continue
    if (kind >= joint && kind <= sharp) {
      const next = of[i + 1 < folded.length ? folded.charCodeAt(i + 1) : 0]
      const before = i === 0 ? space : of[folded.charCodeAt(i - 1)]
      const stays =
        kind === joint
          ? before === digit && next === digit
          : kind === sharp
            ? before === 0
            : kind === minus
              ? (next === digit && (before === space || before === operator)) ||
                isBetween(folded, i, of, true)
              : isBetween(folded, i, of, false)
      kind = stays ? 0 : space
    }
    if (kind === space) {
      gap = true
      continue
    }
    if (gap && length > 0 && last !== unspaced && kind !== unspaced) buffer[length++] = 0x20
    gap = false
    buffer[length++] = code
    // The second half of a character above the first plane is as its first half.
    last = code >= 0xdc00 && code <= 0xdfff ? last : kind
  }
  return length > 0 ? decode(buffer.subarray(0, length)) : withoutWords(folded)
}

const withoutWords = (text: string): string =>
  text
    .replace(/\p{Default_Ignorable_Code_Point}/gu, '')
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim()

const decode = (codes: Uint16Array): string =>
  Buffer.from(codes.buffer, codes.byteOffset, codes.byteLength).toString('utf16le')
