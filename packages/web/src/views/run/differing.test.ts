import { expect, it } from 'vitest'
import { differing } from './differing.js'

const marks = (before: string, now: string) =>
  differing(before, now)
    .map(({ text, isNew }) => (isNew ? `[${text}]` : text))
    .join('')

it('marks words that the text before has not', () => {
  expect(marks('12 people need 36 eggs', '12 people will need 36 eggs')).toBe('12 people [will ]need 36 eggs')
  expect(marks('a b c', 'a b c')).toBe('a b c')
  expect(marks('', 'all new')).toBe('[all new]')
  expect(marks('gone', '')).toBe('')
  expect(marks('the end', 'the end of it')).toBe('the end [of it]')
})

it('marks Chinese by characters, joined', () => {
  expect(marks('输入三支球队', '输入五支足球队的名称')).toBe('输入[五]支[足]球队[的名称]')
})

it('gives up on the middle of very long texts, not on the page', () => {
  const long = Array.from({ length: 5000 }, (_, i) => `w${i}`).join(' ')
  const other = Array.from({ length: 5000 }, (_, i) => `v${i}`).join(' ')
  expect(differing(`same ${long} end`, `same ${other} end`)).toHaveLength(3)
})
