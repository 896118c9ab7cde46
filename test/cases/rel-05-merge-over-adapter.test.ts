import { cpSync, linkSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { rows, tinyCase, tinyRun, type CaseFolder } from './ift.fixture.js'

// What a command reads is not what it replaces, and a folder is replaced by one of its own kind alone.

let folder: CaseFolder
const merge = (to: string, adapter = 'run/adapter', weights = './m') => [
  ...['merge', to, '--weights', weights, '--adapter', adapter, '--device', 'cpu'],
]

beforeAll(() => {
  folder = tinyCase('rel-05')
  folder.output(...tinyRun('run', 3))
}, 60_000)
afterAll(() => {
  folder.remove()
})

function untouched(args: readonly string[]) {
  const before = folder.contents()
  const { code, stderr } = folder.ift(args)
  expect(code, `${args.join(' ')}: ${stderr}`).not.toBe(0)
  expect(stderr, args.join(' ')).toContain('IFT_FOLDER_IN_USE')
  const after = folder.contents()
  expect([...after.keys()], args.join(' ')).toEqual([...before.keys()])
  for (const [name, content] of before)
    expect(after.get(name) === content, `${args.join(' ')}: ${name}`).toBe(true)
}

test('merge does not replace what it merges, under any name', () => {
  untouched(merge('run/adapter'))
  untouched(merge('m'))
  untouched(merge('run'))
  untouched(merge('./m/../run/adapter'))
  symlinkSync('run/adapter', folder.path('link'))
  untouched(merge('link'))
  untouched(merge('run/adapter', 'link'))
  rmSync(folder.path('link'))
}, 60_000)

test('merge replaces no folder of another kind, and no model that is somebody else’s', () => {
  untouched(merge('run/checkpoints/step-3'))
  cpSync(folder.path('run/adapter'), folder.path('other'), { recursive: true })
  untouched(merge('other'))
  cpSync(folder.path('m'), folder.path('downloaded'), { recursive: true })
  untouched(merge('downloaded'))
  // A merged model is replaced by the next one.
  folder.output(...merge('merged'))
  folder.output(...merge('merged'))
}, 60_000)

test('a run does not replace what it starts from', () => {
  rmSync(folder.path('run/checkpoints'), { recursive: true })
  untouched(tinyRun('run', 3, '--adapter', 'run/adapter'))
  mkdirSync(folder.path('own'))
  cpSync(folder.path('m'), folder.path('own/model'), { recursive: true })
  untouched(tinyRun('own', 3, '--weights', './own/model', '--peft.method', 'none'))
  mkdirSync(folder.path('logs'))
  writeFileSync(folder.path('logs/metrics.jsonl'), rows(4))
  untouched(tinyRun('logs', 3, '--data', 'logs/metrics.jsonl'))
}, 60_000)

test('predict, score and convert do not replace their input', () => {
  writeFileSync(folder.path('texts.jsonl'), '{"text": "one two"}\n')
  mkdirSync(folder.path('many'))
  writeFileSync(folder.path('many/a.jsonl'), rows(2))
  linkSync(folder.path('d.jsonl'), folder.path('same.jsonl'))
  const model = [
    '--weights',
    './m',
    '--template',
    'alpaca',
    '--device',
    'cpu',
    '--generate.maxNewTokens',
    '2',
  ]
  const answer = (input: string, output: string) => [
    'predict',
    ...model,
    '--input',
    input,
    '-o',
    output,
    '--overwrite',
  ]
  untouched(answer('d.jsonl', 'd.jsonl'))
  untouched(answer('d.jsonl', 'same.jsonl'))
  untouched(answer('many', 'many/a.jsonl'))
  untouched(['score', ...model, '--input', 'texts.jsonl', '-o', 'texts.jsonl', '--overwrite'])
  untouched(['data', 'convert', 'd.jsonl', '-o', './d.jsonl', '--to', 'messages'])
  untouched(['data', 'convert', 'many', '-o', 'many/a.jsonl', '--to', 'messages'])
}, 60_000)
