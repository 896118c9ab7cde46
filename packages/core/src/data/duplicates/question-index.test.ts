import { expect, test } from 'vitest'
import { normalise } from './normalise.js'
import { overlapDefaults } from './options.js'
import { QuestionIndex as NormalIndex } from './question-index.js'

/** Of texts as they are written. */
class QuestionIndex extends NormalIndex {
  override add(record: number, asked: readonly string[]) {
    return super.add(record, asked.map(normalise))
  }
  override find(text: string) {
    return super.find(normalise(text))
  }
}

const words = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => `word${from + i}`).join(' ')
const characters = (from: number, count: number) =>
  String.fromCharCode(...Array.from({ length: count }, (_, i) => 0x4e00 + from + i))

function indexOf(...questions: readonly string[]): QuestionIndex {
  const index = new QuestionIndex(overlapDefaults)
  for (const [record, question] of questions.entries()) index.add(record, [question])
  return index
}

test('an equal question is found however short it is', () => {
  const index = indexOf('What is 2+2?', 'Hello')
  expect(index.find('what is  2+2')).toEqual({ record: 0, kind: 'equal', text: 'what is 2+2' })
  expect(index.find('HELLO!')).toMatchObject({ record: 1, kind: 'equal' })
  expect(index.find('Hello there')).toBeNull()
  expect(index.find('')).toBeNull()
})

test('thirteen words in a row are an overlap, twelve are not', () => {
  const index = indexOf(words(900, 5), `Solve: ${words(0, 30)}?`)
  const shared = words(7, 13)
  expect(index.find(`Before, ${shared}; behind`)).toEqual({ record: 1, kind: 'overlap', text: shared })
  expect(index.find(`Before ${words(7, 12)} behind`)).toBeNull()
  expect(index.find(`Before ${words(2, 20)} behind`)).toMatchObject({ text: words(2, 20) })
  // In pieces of less than thirteen.
  expect(index.find(`${words(0, 12)} else ${words(12, 12)}`)).toBeNull()
})

test('twenty Chinese characters are an overlap, nineteen are not; punctuation does not count', () => {
  const index = indexOf(`${characters(0, 15)}，${characters(15, 25)}？`)
  expect(index.find(`请问${characters(10, 10)}、${characters(20, 10)}`)).toEqual({
    record: 0,
    kind: 'overlap',
    text: characters(10, 20),
  })
  expect(index.find(`请问${characters(10, 19)}吗`)).toBeNull()
})

test('words and characters count together, in proportion', () => {
  const mixed = `${characters(0, 10)} ${words(0, 7)}`
  const index = indexOf(`${words(500, 3)} ${mixed} ${words(600, 3)}`)
  expect(index.find(`${characters(300, 3)} ${mixed}`)).toMatchObject({ kind: 'overlap' })
  expect(index.find(`${characters(300, 3)}${characters(0, 10)} ${words(0, 6)}`)).toBeNull()
})

test('the frame that all questions stand in is no overlap; what few have in common is', () => {
  const frame = words(0, 20)
  const index = indexOf(...Array.from({ length: 30 }, (_, i) => `${frame} ${words(1000 + 100 * i, 15)}`))
  expect(index.find(`${frame} something else`)).toBeNull()
  expect(index.find(`${frame} ${words(1200, 15)} and more`)).toMatchObject({ record: 2, kind: 'overlap' })
  const passage = indexOf(...Array.from({ length: 8 }, (_, i) => `${frame} ${words(1000 + 100 * i, 15)}`))
  expect(passage.find(`${frame} something else`)).toMatchObject({ kind: 'overlap' })
})

test('of a conversation the first question is compared as a whole, later ones by their runs', () => {
  const index = new QuestionIndex(overlapDefaults)
  index.add(0, ['Write a poem', 'Go on', words(0, 14)])
  expect(index.find('write a poem')).toMatchObject({ kind: 'equal' })
  expect(index.find('Go on')).toBeNull()
  expect(index.find(`and ${words(0, 14)}`)).toMatchObject({ kind: 'overlap' })
})

test('a record without a word is none', () => {
  const index = new QuestionIndex(overlapDefaults)
  expect(index.add(0, [])).toBe(false)
  expect(index.add(0, [' \n'])).toBe(false)
  expect(index.records).toBe(0)
  expect(index.add(0, ['?!'])).toBe(true)
  expect(index.find('?!')).toMatchObject({ kind: 'equal' })
})

test('thousands of questions are found again', () => {
  const index = indexOf(...Array.from({ length: 2000 }, (_, i) => words(40 * i, 30)))
  for (let i = 0; i < 2000; i += 11)
    expect(index.find(`see ${words(40 * i + 5, 20)}`)).toMatchObject({
      record: i,
      text: words(40 * i + 5, 20),
    })
})
