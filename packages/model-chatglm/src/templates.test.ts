import { expect, test } from 'vitest'
import type { PromptTemplate, Segment, TrainOn } from '@ift/core'
import { chatglm2, chatglm3, glm4 } from './index.js'

const two = {
  system: '',
  history: [['Hi', 'Hello']] as const,
  instruction: 'Sum',
  input: '1, 2',
  output: '3',
}
const text = (segments: readonly Segment[]) =>
  segments.map((s) => (s.special ? `{${s.text}}` : s.text)).join('')
const trained = (template: PromptTemplate, trainOn: TrainOn) =>
  text(template.render(two, trainOn).filter((s) => s.trained))

test('ChatGLM2 counts rounds from 1 and ends with eos once', () => {
  const prompt = '{[gMASK]}{sop}[Round 1]\n\n问：Hi\n\n答：Hello\n\n[Round 2]\n\n问：Sum\n\n1, 2\n\n答：'
  expect(text(chatglm2.prompt(two))).toBe(prompt)
  expect(text(chatglm2.render(two, 'assistant'))).toBe(`${prompt}3{eos}`)
  expect(trained(chatglm2, 'assistant')).toBe('Hello3{eos}')
  expect(trained(chatglm2, 'last')).toBe('3{eos}')
  expect(chatglm2.prompt(two).some((s) => s.trained)).toBe(false)
})

test('ChatGLM2 keeps the layout when questions or answers stand alone', () => {
  const said = (...messages: ['system' | 'user' | 'assistant', string][]) =>
    text(chatglm2.render({ messages: messages.map(([role, content]) => ({ role, content })) }, 'assistant'))
  expect(said(['system', 'S'], ['user', 'a'], ['user', 'b'], ['assistant', 'c'])).toBe(
    '{[gMASK]}{sop}S\n\n[Round 1]\n\n问：a\n\n答：\n\n[Round 2]\n\n问：b\n\n答：c{eos}',
  )
  expect(said(['assistant', 'c'])).toBe('{[gMASK]}{sop}[Round 1]\n\n问：\n\n答：c{eos}')
})

test('ChatGLM3 and GLM-4 write roles; the line break before an answer is learned', () => {
  const withSystem = { ...two, system: 'Be brief.' }
  expect(text(chatglm3.render(withSystem, 'assistant'))).toBe(
    '{[gMASK]}{sop}{<|system|>}\n Be brief.{<|user|>}\n Hi{<|assistant|>}\n Hello{<|user|>}\n Sum\n\n1, 2{<|assistant|>}\n 3{eos}',
  )
  expect(text(glm4.prompt(withSystem))).toBe(
    '{[gMASK]}{<sop>}{<|system|>}\nBe brief.{<|user|>}\nHi{<|assistant|>}\nHello{<|user|>}\nSum\n\n1, 2{<|assistant|>}',
  )
  expect(trained(glm4, 'assistant')).toBe('\nHello\n3{eos}')
  expect(trained(glm4, 'last')).toBe('\n3{eos}')
  expect(glm4.stop).toEqual(['<|user|>', '<|observation|>'])
})

test('what a tool returns is an observation; all of a text can be learned', () => {
  const messages = [
    { role: 'user', content: 'Weather?' },
    { role: 'assistant', content: '', toolCalls: [{ name: 'get' }] },
    { role: 'tool', content: 'sunny' },
  ] as const
  expect(text(glm4.prompt({ messages }))).toBe(
    '{[gMASK]}{<sop>}{<|user|>}\nWeather?{<|assistant|>}get\n{}{<|observation|>}\nsunny{<|assistant|>}',
  )
  expect(glm4.render(two, 'all').every((s) => s.trained)).toBe(true)
})
