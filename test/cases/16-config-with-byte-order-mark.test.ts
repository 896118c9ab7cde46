import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { tinyCase } from './ift.fixture.js'

// Windows' tools put a byte order mark in front of a file.

const folder = tinyCase('16-config-with-byte-order-mark')
afterAll(() => {
  folder.remove()
})

test('the config of the case, as it is', () => {
  const config = readFileSync(folder.path('ift.config.json'))
  expect([...config.subarray(0, 3)]).toEqual([0xef, 0xbb, 0xbf])
  const flags = ['--weights', './m', '--template', 'alpaca', '--json']
  const { code, stderr } = folder.ift(['inspect', '-c', 'ift.config.json', ...flags])
  expect(stderr).not.toContain('IFT_CONFIG_SYNTAX')
  expect(code).toBe(0)
})

const json = JSON.stringify({ weights: './m', data: 'one.jsonl', template: 'alpaca' })
const yaml = 'weights: ./m\ndata: one.jsonl\ntemplate: alpaca\n'
const utf16 = (text: string, swap = false) => {
  const bytes = Buffer.from(`\uFEFF${text}`, 'utf16le')
  return swap ? bytes.swap16() : bytes
}

test.each([
  ['x.json', Buffer.from(`\uFEFF${json}`)],
  ['x.yaml', Buffer.from(`\uFEFF${yaml}`)],
  // PowerShell's redirection.
  ['utf-16le.json', utf16(json)],
  ['utf-16be.yaml', utf16(yaml, true)],
  ['.iftrc', Buffer.from(`\uFEFF${yaml}`)],
])('%s', (name, bytes) => {
  writeFileSync(folder.path(name), bytes)
  expect(folder.output('inspect', '-c', name, '--json')).toContain('"trained":true')
})

test('config.json, adapter_config.json, data and a template', () => {
  const mark = (name: string) => {
    writeFileSync(folder.path(name), `\uFEFF${readFileSync(folder.path(name), 'utf8')}`)
  }
  folder.output(
    'train',
    '--weights',
    './m',
    '--data',
    'd.jsonl',
    '--template',
    'alpaca',
    '--output',
    'run',
    '--train.maxSteps',
    '1',
  )
  writeFileSync(folder.path('m/chat_template.jinja'), '{% for m in messages %}{{ m.content }}\n{% endfor %}')
  for (const name of [
    ...['m/config.json', 'm/tokenizer.json', 'm/tokenizer_config.json', 'm/chat_template.jinja'],
    ...['run/adapter/adapter_config.json', 'd.jsonl'],
  ])
    mark(name)
  const shown = folder.output('inspect', '--weights', './m', '--data', 'd.jsonl', '--template', 'chat')
  expect(shown).not.toContain('\uFEFF')
  expect(shown.startsWith('say ')).toBe(true)
  const generated = ['--weights', './m', '--adapter', 'run/adapter', '--generate.maxNewTokens', '2']
  folder.output('generate', 'hello', ...generated)
  writeFileSync(folder.path('texts.jsonl'), '\uFEFF{"text": "hello"}\n')
  folder.output('score', '--weights', './m', '--input', 'texts.jsonl', '--output', 'scores.jsonl')
})
