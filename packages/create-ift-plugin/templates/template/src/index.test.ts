import { fileURLToPath } from 'node:url'
import type { MessagesExample, Segment } from '@ift/core'
import { manifestConformance } from '@ift/core/testing'
import { describe, expect, test } from 'vitest'
import { plugin, template } from './index.js'

const rounds: MessagesExample = {
  messages: [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'When?' },
    { role: 'assistant', content: 'At 8.' },
    { role: 'user', content: 'Where?' },
    { role: 'assistant', content: 'Here.' },
  ],
}
const textOf = (segments: readonly Segment[]) =>
  segments.map(({ text, special }) => (special ? `[${text}]` : text)).join('')
const learned = (segments: readonly Segment[]) => textOf(segments.filter(({ trained }) => trained))

test('the text of a conversation, of which the answers are learned', () => {
  const segments = template.render(rounds, 'assistant')
  expect(textOf(segments)).toBe(
    '<|system|>\nBe brief.\n<|user|>\nWhen?\n<|assistant|>\nAt 8.[eos]\n<|user|>\nWhere?\n<|assistant|>\nHere.[eos]',
  )
  expect(learned(segments)).toBe('At 8.[eos]Here.[eos]')
  expect(learned(template.render(rounds, 'last'))).toBe('Here.[eos]')
})

test('the prompt is the beginning of what was learned, and nothing in it is', () => {
  const prompt = template.prompt({ messages: rounds.messages.slice(0, -1) })
  expect(textOf(template.render(rounds, 'assistant'))).toBe(`${textOf(prompt)}Here.[eos]`)
  expect(learned(prompt)).toBe('')
})

test('other engines get it as a Jinja template', () => {
  expect(template.sources?.jinja(true)).toContain('<|assistant|>')
})

describe('package.json', () => {
  const folder = fileURLToPath(new URL('..', import.meta.url))
  for (const { name, run } of manifestConformance(plugin, folder)) test(name, run)
})
