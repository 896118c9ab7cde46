import { expect, it } from 'vitest'
import type { SampleRow } from '../../api/types.js'
import { asBefore, sampleTable, shownColumns } from './samples.js'

const sample = (step: number, index: number, answer: string): SampleRow => ({
  step,
  index,
  prompt: `prompt ${index}`,
  answer,
  expected: null,
  ended: 'end',
  tokens: 3,
})

it('makes a table of answers, a column for each step', () => {
  const table = sampleTable([
    sample(0, 0, 'a'),
    sample(0, 1, 'b'),
    sample(6, 1, 'd'),
    sample(6, 0, 'c'),
    sample(6, 0, 'again'),
    sample(12, 0, 'again'),
  ])
  expect(table.steps).toEqual([0, 6, 12])
  expect(table.rows.map(({ prompt }) => prompt)).toEqual(['prompt 0', 'prompt 1'])
  expect(table.rows[0]!.answers.map((each) => each?.answer)).toEqual(['a', 'again', 'again'])
  expect(table.rows[1]!.answers[2]).toBeNull()
  const { answers } = table.rows[0]!
  expect([0, 1, 2].map((place) => asBefore(answers, [0, 1, 2], place))).toEqual([false, false, true])
  expect(asBefore(table.rows[1]!.answers, [0, 1, 2], 2)).toBe(false)
})

it('always shows the first and the newest column', () => {
  expect(shownColumns(2, false)).toEqual([0, 1])
  expect(shownColumns(5, false)).toEqual([0, 2, 4])
  expect(shownColumns(5, true)).toEqual([0, 1, 2, 3, 4])
  expect(shownColumns(0, false)).toEqual([])
})
