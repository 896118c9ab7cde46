import { afterAll, beforeAll, expect, test } from 'vitest'
import { ask, chatCase, type ChatCase } from './chat.fixture.js'

let model: ChatCase
beforeAll(() => {
  model = chatCase('05-alpaca-ends-with-question')
})
afterAll(() => model.remove())

const learned = (text: string) => [...text.matchAll(/«([^»]*)»/g)].map((match) => match[1])

test('an answer that is not in the data is not learned', () => {
  const [text] = model.texts('chat.jsonl', '--template', 'alpaca')
  expect(learned(text!)).toEqual([' Hello. <|endoftext|>'])
  expect(text).not.toContain('Bye\n<|endoftext|>### Assistant:')
})

const turn = (from: string, value: string) => ({ from, value })
const chatml = `{%- for m in messages %}{{- '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{%- endfor %}${ask}`

test.each(['alpaca', 'vicuna', 'belle', 'plain', 'llama2', 'chatml', 'completion', 'chat'])(
  'with the template %s, of several rounds and of a question alone',
  (template) => {
    const rounds = [
      turn('human', 'Hi'),
      turn('gpt', 'Hello.'),
      turn('human', 'And'),
      turn('gpt', 'more.'),
      turn('human', 'Bye'),
    ]
    const records = [{ conversations: rounds }, { conversations: [turn('human', 'Alone')] }]
    const texts = model.of(chatml, records, '--template', template)
    expect(texts).toHaveLength(1)
    const answers = learned(texts[0]!).map((text) => text!.replace(/<\|\w+\|>/g, '').trim())
    expect(answers).toEqual(['Hello.', 'more.'])
  },
)

test('converted to alpaca, no empty answer is made up', () => {
  model.output('data', 'convert', 'chat.jsonl', '--to', 'alpaca', '-o', 'out.jsonl')
  expect(model.lines('out.jsonl')).toEqual([{ instruction: 'Hi', input: '', output: 'Hello.' }])
})
