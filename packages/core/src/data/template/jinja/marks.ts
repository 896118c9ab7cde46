import { spendText } from './budget.js'

// Noncharacters of Unicode (section 23.7), which no text for interchange has, mark places inside the values that a template is
// given. Every operation of a template behaves as if they were not there, and they stay where they are in what it makes.

/** Code points that mark places; the last eight are for guards. */
const first = 0xfdd0
const opening = '\uFDD0'
const closing = '\uFDD1'
const ending = '\uFDD2'
const generating = '\uFDD3'
const generated = '\uFDD4'
const digits = 0xfdd8
const some = /[\uFDD0-\uFDEF]/
const all = /[\uFDD0-\uFDEF]/g
const place = /([\uFDD0\uFDD1])([\uFDD8-\uFDE1]+)\uFDD2|[\uFDD3\uFDD4]/g

/** Characters that split the text of a special token, so that it stays plain text. */
export const guards: readonly string[] = Array.from({ length: 8 }, (_, i) =>
  String.fromCharCode(first + 24 + i),
)

export const hasMarks = (text: string): boolean => {
  spendText(text.length)
  return some.test(text)
}
export const isMark = (code: number): boolean => code >= first && code < first + 32

/** The text as a template is to see it. */
export const visible = (text: string): string => (hasMarks(text) ? text.replace(all, '') : text)

/** The text between two marks that carry a number. */
export function marked(text: string, number: number): string {
  const name = String(number).replace(/\d/g, (digit) => String.fromCharCode(digits + Number(digit)))
  return opening + name + ending + text + closing + name + ending
}

/** The text with marks around it for what a template says the model makes. */
export const markGenerated = (text: string): string => generating + text + generated

export interface Mark {
  /** Of `marked`; null for what the model makes. */
  readonly number: number | null
  readonly opens: boolean
  /** Place in the text without marks. */
  readonly at: number
}

/** Takes the marks out of a text; guards stay. */
export function takeMarks(text: string): { readonly text: string; readonly marks: readonly Mark[] } {
  const marks: Mark[] = []
  let plain = ''
  let end = 0
  for (const { 0: whole, 1: side, 2: name, index } of text.matchAll(place)) {
    plain += text.slice(end, index)
    end = index + whole.length
    const number =
      name === undefined ? null : Number(name.replace(/./g, (digit) => String(digit.charCodeAt(0) - digits)))
    marks.push({ number, opens: side === opening || whole === generating, at: plain.length })
  }
  return { text: marks.length === 0 ? text : plain + text.slice(end), marks }
}

/** Cuts texts at positions in the visible text; marks at either end of a piece stay with it. */
export function cutter(text: string): (start: number, end: number) => string {
  if (!hasMarks(text)) return (start, end) => text.slice(start, end)
  const places: number[] = []
  for (let i = 0; i < text.length; i++) if (!isMark(text.charCodeAt(i))) places.push(i)
  return (start, end) =>
    end < start
      ? ''
      : text.slice(
          start === 0 ? 0 : start > places.length ? text.length : places[start - 1]! + 1,
          end >= places.length ? text.length : places[end]!,
        )
}

/** Changes what is visible and keeps the marks at both ends; those inside are lost. */
export function changeVisible(text: string, change: (visible: string) => string): string {
  if (!hasMarks(text)) return change(text)
  let start = 0
  let end = text.length
  while (start < end && isMark(text.charCodeAt(start))) start++
  while (end > start && isMark(text.charCodeAt(end - 1))) end--
  return text.slice(0, start) + change(visible(text.slice(start, end))) + text.slice(end)
}
