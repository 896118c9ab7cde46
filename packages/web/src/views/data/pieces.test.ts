import { expect, it } from 'vitest'
import { chipsOf, segmentsOf, withMarks } from './pieces.js'

const piece = (
  id: number,
  text: string,
  flags: Partial<Record<'trained' | 'special' | 'cut', boolean>> = {},
) => ({
  id,
  text,
  trained: false,
  special: false,
  cut: false,
  ...flags,
})

it('joins tokens of one mask, specials alone', () => {
  const segments = segmentsOf([
    piece(1, '<s>', { special: true }),
    piece(2, 'a'),
    piece(3, 'b'),
    piece(4, 'c', { trained: true }),
    piece(5, '</s>', { trained: true, special: true }),
    piece(6, 'd', { trained: true, cut: true }),
  ])
  expect(segments.map(({ text }) => text)).toEqual(['<s>', 'ab', 'c', '</s>', 'd'])
  expect(segments[3]).toEqual({ text: '</s>', trained: true, special: true, cut: false })
})

it('makes one chip of the parts of a character', () => {
  const chips = chipsOf([piece(1, 'a'), piece(2, ''), piece(3, ''), piece(4, '字'), piece(5, '')])
  expect(chips.map(({ text, ids }) => [text, ids])).toEqual([
    ['a', [1]],
    ['字', [2, 3, 4]],
    ['', [5]],
  ])
})

it('does not join over the mask', () => {
  expect(chipsOf([piece(1, ''), piece(2, 'x', { trained: true })])).toHaveLength(2)
})

it('shows where lines end', () => {
  expect(withMarks('a\n\nb')).toEqual([
    { text: 'a', mark: false },
    { text: '↵', mark: true },
    { text: '\n', mark: false },
    { text: '↵', mark: true },
    { text: '\n', mark: false },
    { text: 'b', mark: false },
  ])
})
