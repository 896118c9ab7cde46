import { expect, test } from 'vitest'
import { AnswerText } from './answer-text.js'

const pieces = (prompt: unknown, ...texts: string[]) => {
  const answer = new AnswerText(prompt)
  return texts.map((text) => answer.piece(text))
}

test('the white space in front of an answer is left out, in pieces as in the whole', () => {
  expect(pieces({ messages: [] }, ' ', '\n Bl', ' ue', '\n')).toEqual(['', 'Bl', ' ue', '\n'])
  const generation = {
    text: ' \n Bl ue\n',
    ids: new Int32Array(),
    finish: 'eos',
    promptTokens: 1,
    cachedTokens: 0,
  } as const
  expect(AnswerText.of({ messages: [] }, generation).text).toBe('Bl ue\n')
})

test('the continuation of a text keeps it', () => {
  expect(pieces('Once', ' ', 'upon')).toEqual([' ', 'upon'])
})
