import { expect, test } from 'vitest'
import { belleClass, bellePrompt, scoreAgain } from './belle.js'
import { bellePrompts, withoutReference } from './belle-prompts.js'
import { parseScore } from './score.js'

test('classes are found as data write them', () => {
  for (const [written, name] of [
    ['open QA', 'open qa'],
    ['closed\u00a0qa', 'closed qa'],
    [' Closed  QA\n', 'closed qa'],
    ['ｍａｔｈ', 'math'],
  ] as const)
    expect(belleClass(written)).toBe(name)
  const data =
    'code|open qa|brainstorming|classification|math|generation|summarization|rewrite|closed\u00a0qa|extract'
  for (const name of data.split('|')) expect(bellePrompts.has(belleClass(name)), name).toBe(true)
  expect(bellePrompts.size).toBe(11)
  for (const [name, prompt] of bellePrompts) {
    expect(belleClass(name)).toBe(name)
    expect(prompt).toContain('得分:')
  }
})

test('a prompt has the class, the question, what is right where that counts, and the answer', () => {
  const item = { question: '1+1=?', reference: '2', answer: '等于 2' }
  const math = bellePrompt({ class: 'math', ...item })
  expect(math.startsWith(bellePrompts.get('math')!)).toBe(true)
  expect(math.slice(bellePrompts.get('math')!.length)).toBe('\n问题：1+1=?\n标准答案：2\n模型回答：等于 2')
  for (const name of withoutReference)
    expect(bellePrompt({ class: name, ...item, reference: 'hidden' })).not.toContain('hidden')
  expect([...withoutReference].every((name) => bellePrompts.has(name))).toBe(true)
  expect(() => bellePrompt({ class: 'poetry', ...item })).toThrow(
    /no class "poetry"; its classes are math, code/,
  )
  // What asks for a score is none.
  expect(parseScore(scoreAgain)).toBeNull()
  expect(parseScore(math)).toBeNull()
})
