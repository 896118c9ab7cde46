import { describe, expect, it } from 'vitest'
import { guessColumns } from './guess-columns.js'

describe('guessColumns', () => {
  it.each([
    [
      'whole names before parts',
      { id: '7', user_query: 'Why?', answers: 'So.' },
      { instruction: 'user_query', output: 'answers' },
    ],
    ['Chinese names', { 问题: '为什么？', 回答: '因为。' }, { instruction: '问题', output: '回答' }],
    [
      'a context beside a question',
      { context: 'Rome.', question: 'Where?', answer: 'There.' },
      { instruction: 'question', input: 'context', output: 'answer' },
    ],
    [
      'the longest texts in the order of the file',
      { k: 'x', a1: 'What is a pear?', b1: 'A pear is a fruit.' },
      { instruction: 'a1', output: 'b1' },
    ],
    [
      'one name that tells, and the longest other text',
      { tag: 'x', reply: 'A fruit.', words: 'What is a pear?' },
      { instruction: 'words', output: 'reply' },
    ],
  ])('knows %s', (_, record, columns) => {
    expect(guessColumns([record])).toEqual({ format: 'alpaca', columns })
  })

  it('knows turns by their shape, whatever the column is called', () => {
    expect(guessColumns([{ dialog: [{ role: 'user', content: 'Why?' }] }])).toEqual({
      format: 'messages',
      columns: { messages: 'dialog' },
    })
    expect(guessColumns([{ dialog: [{ from: 'human', value: 'Why?' }] }])).toEqual({
      format: 'sharegpt',
      columns: { conversations: 'dialog' },
    })
  })

  it('takes a single text for text', () => {
    expect(guessColumns([{ n: 1, passage_body: 'Once upon a time.' }])).toEqual({
      format: 'text',
      columns: { text: 'passage_body' },
    })
  })
})
