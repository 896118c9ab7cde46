import { spend } from './budget.js'

// Searching in texts in linear time: the searches of JavaScript's strings compare a long part anew at every place, which takes
// minutes for texts that are made for it.

/** Up to here the time that is built in is bounded by the length of the text. */
const short = 32

/** For every length of what `part` begins with, the longest that it begins and ends with (Knuth, Morris, Pratt 1977). */
function bordersOf(part: string): Uint32Array {
  const borders = new Uint32Array(part.length + 1)
  let border = 0
  for (let i = 1; i < part.length; i++) {
    while (border > 0 && part.charCodeAt(i) !== part.charCodeAt(border)) border = borders[border]!
    if (part.charCodeAt(i) === part.charCodeAt(border)) border++
    borders[i + 1] = border
  }
  return borders
}

function search(text: string, part: string, start: number, last: boolean): number {
  const borders = bordersOf(part)
  let found = -1
  let matched = 0
  let i = start
  for (; i < text.length; i++) {
    const code = text.charCodeAt(i)
    while (matched > 0 && code !== part.charCodeAt(matched)) matched = borders[matched]!
    if (code === part.charCodeAt(matched)) matched++
    if (matched < part.length) continue
    found = i + 1 - matched
    if (!last) break
    matched = borders[matched]!
  }
  spend((i - start + part.length) / 4)
  return found
}

/** The first place of `part` at or behind `start`; -1 for none. */
export const firstIn = (text: string, part: string, start = 0): number =>
  part.length <= short ? text.indexOf(part, start) : search(text, part, start, false)

/** The last place of `part`; -1 for none. */
export const lastIn = (text: string, part: string): number =>
  part.length <= short ? text.lastIndexOf(part) : search(text, part, 0, true)

/** How often `part`, which is not empty, occurs; occurrences do not overlap. */
export function countIn(text: string, part: string): number {
  let count = 0
  for (let at = firstIn(text, part); at >= 0; at = firstIn(text, part, at + part.length)) count++
  return count
}
