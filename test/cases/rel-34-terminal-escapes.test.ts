import { renameSync, writeFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { tinyCase } from './ift.fixture.js'

// What data, models and names of files say does not reach a terminal as sequences.

const folder = tinyCase('rel-34-terminal-escapes')
afterAll(() => {
  folder.remove()
})
const dangerous = /[\0-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/

const shown = (...args: string[]) => {
  const { stdout, stderr, code } = folder.ift(args)
  expect(stdout + stderr).not.toMatch(dangerous)
  return { code, text: stdout + stderr }
}
const model = ['--weights', './m', '--template', 'alpaca']

test('a sample', () => {
  const { text } = shown('inspect', ...model, '--data', 'ansi.jsonl')
  expect(text).toContain('␛]0;OWNED␇')
  expect(text).toContain('\\u202e')
})

test('a sample as JSON is the same value', () => {
  const { stdout } = folder.ift(['inspect', ...model, '--data', 'ansi.jsonl', '--json'])
  expect(stdout.trimEnd()).not.toMatch(dangerous)
  const tokens = JSON.parse(stdout) as { text: string }[]
  expect(tokens.map(({ text }) => text).join('')).toContain('\x1b]0;OWNED\x07')
})

test('a broken line', () => {
  const { text } = shown('data', 'stats', 'broken.jsonl')
  expect(text).toContain('IFT_DATA_SYNTAX')
  expect(text).toContain('OWNED')
  shown('data', 'validate', 'broken.jsonl')
})

test('names of files, flags and what a template raises', () => {
  const name = 'a\x1b]0;OWNED\x07\u202eb.jsonl'
  renameSync(folder.path('broken.jsonl'), folder.path(name))
  expect(shown('data', 'stats', name).text).toContain('a␛]0;OWNED␇')
  shown('data', 'stats', `absent\x1b[2J.jsonl`)
  shown('train', '--\x1b[2J')
  shown('train', ...model, '--data', 'd.jsonl', '--train.schedule', 'a\x9b31m')
  writeFileSync(folder.path('m/chat_template.jinja'), "{{ raise_exception('\x1b]0;OWNED\x07 no') }}")
  const { text } = shown('generate', 'hello', '--weights', './m', '--template', 'chat')
  expect(text).toContain('␛]0;OWNED␇ no')
})
