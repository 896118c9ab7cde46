import { expect, test } from 'vitest'
import { PieceTable } from './piece-table.js'

test('every way to cut a piece into two pieces is found, the longer first half first', () => {
  const units = ['a', 'b', '▁', '𝒜', 'é']
  let state = 5
  const next = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return (state >>> 8) % below
  }
  const texts = [
    ...new Set(
      Array.from({ length: 4000 }, () =>
        Array.from({ length: 1 + next(7) }, () => units[next(units.length)]!).join(''),
      ),
    ),
  ]
  const known = new Set(texts)
  const table = new PieceTable(texts)
  const all: [string, [string, string][]][] = []
  const wanted: typeof all = []
  for (const text of texts) {
    const expected: [string, string][] = []
    for (let at = text.length - 1; at > 0; at--) {
      const [left, right] = [text.slice(0, at), text.slice(at)]
      if (known.has(left) && known.has(right)) expected.push([left, right])
    }
    const found: [string, string][] = []
    table.eachSplit(text, (left, right) => found.push([texts[left]!, texts[right]!]))
    all.push([text, found])
    wanted.push([text, expected])
  }
  expect(all).toEqual(wanted)
})

test('a table of nothing finds nothing', () => {
  expect(new PieceTable([])).toBeInstanceOf(PieceTable)
})
