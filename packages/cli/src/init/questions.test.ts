import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { answerOf, questions } from './questions.js'

test('a number picks a choice, Enter the usual answer, and other text is the answer', () => {
  const question = { text: 'Model', usual: './a', choices: ['./a', './b'] }
  expect(answerOf(question, '')).toBe('./a')
  expect(answerOf(question, ' 2 ')).toBe('./b')
  expect(answerOf(question, '7')).toBe('7')
  expect(answerOf(question, 'org/model')).toBe('org/model')
})

test('questions are asked one after the other, and those after the end of the input have their usual answers', async () => {
  const [input, output] = [new PassThrough(), new PassThrough()]
  const { ask, close } = questions(input, output)
  const first = ask({ text: 'Model', usual: './a', choices: ['./a', './b'] })
  input.write('2\n')
  expect(await first).toBe('./b')
  input.end()
  expect(await ask({ text: 'Data', usual: './d' })).toBe('./d')
  close()
  expect(String(output.read())).toContain('  2) ./b')
})
