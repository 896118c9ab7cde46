import { messages, type RecordContext } from '@ift/core/collection'
import { expect, test } from 'vitest'
import { rounds } from './fields.js'

const context = {} as RecordContext
const read = (response: unknown) => messages(rounds)({ round_0: { response } }, context)

test.each([
  ['{"Q": "q", "A": "a"}', 'q', 'a'],
  ['```json\n{"Q": "q", "A": "a"}\n```', 'q', 'a'],
  [' ```{"Q": "```", "A": 1}```\n', '```', '1'],
])('%j', (response, question, answer) => {
  expect(read(response)).toMatchObject({ messages: [{ content: question }, { content: answer }] })
})

test.each([
  undefined,
  null,
  7,
  {},
  [[1]],
  '',
  'null',
  '[]',
  '"text"',
  '{"Q": "q"',
  '{"Q": "q"}',
  '{"Q": {}, "A": "a"}',
  '['.repeat(1_000_000),
])('%j gives no example', (response) => {
  expect(read(response)).toHaveProperty('dropped')
})

test('what is no dialog', () => {
  for (const record of [null, 7, [], {}, { round_0: null }, { round_x: { response: '' } }])
    expect(messages(rounds)(record, context)).toHaveProperty('dropped')
})
