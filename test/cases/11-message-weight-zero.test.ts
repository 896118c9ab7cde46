import { afterAll, beforeAll, expect, test } from 'vitest'
import { chatCase, type ChatCase } from './chat.fixture.js'

let model: ChatCase
beforeAll(() => {
  model = chatCase('11-message-weight-zero')
})
afterAll(() => model.remove())

const texts = (first: string, second: string) =>
  `<|im_start|>user\nA?<|im_end|>\n<|im_start|>assistant\n${first}\n<|im_start|>user\nC?<|im_end|>\n<|im_start|>assistant\n${second}\n`

test('weight 0 keeps an answer and its end from being learned', () => {
  expect(model.texts('weights.jsonl')).toEqual([texts('bad<|im_end|>', '«good<|im_end|>»')])
  const all = model.texts('weights.jsonl', '--trainOn', 'all')[0]!
  expect(all).toContain('»bad<|im_end|>«')
})

const record = (first: object, second: object) => ({
  messages: [
    { role: 'user', content: 'A?' },
    { role: 'assistant', content: 'bad', ...first },
    { role: 'user', content: 'C?' },
    { role: 'assistant', content: 'good', ...second },
  ],
})

test('when the last answer is not to be learned, trainOn last learns none', () => {
  const template = model.read('chat_template.jinja')
  const records = [record({}, { weight: 0 }), record({ weight: 0.0 }, {})]
  expect(model.of(template, records, '--trainOn', 'last')).toEqual([
    texts('bad<|im_end|>', '«good<|im_end|>»'),
  ])
  expect(model.of(template, records)[0]).toBe(texts('«bad<|im_end|>»', 'good<|im_end|>'))
})

test.each(['chatml', 'vicuna', 'alpaca', 'llama2', 'belle', 'plain'])('with the template %s', (template) => {
  const [text] = model
    .texts('weights.jsonl', '--template', template)
    .map((line) => [...line.matchAll(/«([^»]*)»/g)].map((match) => match[1]).join('|'))
  expect(text).toContain('good')
  expect(text).not.toContain('bad')
})

test('another weight is an error that names the place', () => {
  const { stderr } = model.refused(model.read('chat_template.jinja'), [record({ weight: 0.5 }, {})])
  expect(stderr).toContain('IFT_DATA_RECORD')
  expect(stderr).toContain('messages[1].weight')
})
