import { expect, test } from 'vitest'
import type { Example, Message } from '../contract/data.js'
import { answerTurns } from './answer-turns.js'

const says = (role: Message['role'], content: string, more: Partial<Message> = {}): Message => ({
  ...{ role, content },
  ...more,
})
const [system, q1, a1, q2, a2] = [
  says('system', 's'),
  says('user', 'q1'),
  says('assistant', 'a1'),
  says('user', 'q2'),
  says('assistant', 'a2'),
]
const past = (message: Message) => ({ ...message, learned: false })
const dialog = { messages: [system, q1, a1, q2, a2], tools: ['t'], meta: { topic: 'x' }, rejected: 'worse' }

test('whole: a conversation is one example', () => {
  expect(answerTurns(dialog, 'whole')).toEqual([dialog])
})

test('each: an example for each answer, with the turns before it, of which nothing is learned', () => {
  expect(answerTurns(dialog, 'each')).toEqual([
    { messages: [system, q1, a1], tools: ['t'], meta: { topic: 'x' } },
    { messages: [system, q1, past(a1), q2, a2], tools: ['t'], meta: { topic: 'x' }, rejected: 'worse' },
  ])
})

test('alone: an example for each answer, with its question and what the system says', () => {
  expect(answerTurns(dialog, 'alone')).toEqual([
    { messages: [system, q1, a1], tools: ['t'], meta: { topic: 'x' } },
    { messages: [system, q2, a2], tools: ['t'], meta: { topic: 'x' }, rejected: 'worse' },
  ])
})

test('calls and results of tools belong to the question, and the call is an answer of its own', () => {
  const call = says('assistant', '', { toolCalls: [{}] })
  const result = says('tool', '21')
  const messages = [q1, a1, q2, call, result, a2]
  expect(answerTurns({ messages }, 'alone')).toEqual([
    { messages: [q1, a1] },
    { messages: [q2, call] },
    { messages: [q2, past(call), result, a2] },
  ])
})

test('an answer that its author keeps as context has no example of its own', () => {
  expect(answerTurns({ messages: [q1, past(a1), q2, a2] }, 'each')).toEqual([
    { messages: [q1, past(a1), q2, a2] },
  ])
})

test('rounds before an instruction are turns too', () => {
  const example = {
    instruction: 'i',
    input: 'in',
    output: 'o',
    system: 's',
    history: [['q1', 'a1']] as const,
  }
  expect(answerTurns(example, 'alone')).toEqual([
    { instruction: 'q1', input: '', output: 'a1', system: 's' },
    { instruction: 'i', input: 'in', output: 'o', system: 's' },
  ])
  expect(answerTurns(example, 'each')).toEqual([
    { messages: [system, q1, a1] },
    { messages: [system, q1, past(a1), says('user', 'i\n\nin'), says('assistant', 'o')] },
  ])
})

test.each<Example>([
  { instruction: 'i', input: '', output: 'o' },
  { messages: [q1, a1] },
  { messages: [q1] },
  { text: 't' },
  { ids: [1, 2] },
])('what has no second answer stays as it is: %j', (example) => {
  expect(answerTurns(example, 'each')).toEqual([example])
  expect(answerTurns(example, 'alone')).toEqual([example])
})
