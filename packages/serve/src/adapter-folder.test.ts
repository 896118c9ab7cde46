import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { adapterFolder, adapterWords } from './adapter-folder.js'

let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'ift-adapters-'))
  for (const path of [
    'all/zh',
    'all/cot/adapter',
    'all/base',
    'all/two words',
    'all/notes',
    'all-evil/x',
    'elsewhere',
    'all/within',
  ])
    mkdirSync(join(dir, path), { recursive: true })
  writeFileSync(join(dir, 'elsewhere/adapter_config.json'), '{}')
  for (const path of ['zh', 'cot/adapter', 'base', 'two words', '../all-evil/x'])
    cpSync(join(dir, 'elsewhere/adapter_config.json'), join(dir, 'all', path, 'adapter_config.json'))
  writeFileSync(join(dir, 'all/notes.txt'), '')
  for (const [to, name] of [
    ['../elsewhere', 'out'],
    ['../all-evil/x', 'beside'],
    ['../../elsewhere', 'within/adapter'],
    ['zh', 'again'],
    ['nowhere', 'broken'],
  ] as const)
    symlinkSync(to, join(dir, 'all', name))
})
afterAll(() => {
  rmSync(dir, { recursive: true })
})

test('adapters of a folder have the names of their folders; nothing outside of it is one', () => {
  const { adapters, notes } = adapterFolder(join(dir, 'all'))
  expect([...adapters.keys()]).toEqual(['again', 'cot', 'zh'])
  expect([...adapters.values()].map((path) => path.slice(path.indexOf('all')))).toEqual([
    'all/zh',
    'all/cot/adapter',
    'all/zh',
  ])
  expect(notes.map((note) => note.split(' is left out')[0])).toEqual([
    '"base"',
    '"beside"',
    '"out"',
    '"two words"',
    '"within"',
  ])
})

test.each(['elsewhere', 'nowhere', 'all/notes.txt'])('%s is no folder of adapters', (name) => {
  expect(() => adapterFolder(join(dir, name))).toThrow(
    expect.objectContaining({ code: 'IFT_ADAPTER_NOT_FOUND' }),
  )
})

test('adapters that a config names stay, whatever they are written as', () => {
  expect(adapterWords(undefined)).toEqual([])
  expect(adapterWords('./zh')).toEqual(['./zh'])
  expect(adapterWords(['./zh', 'cot=./cot'])).toEqual(['./zh', 'cot=./cot'])
  expect(adapterWords({ zh: './a', cot: './b' })).toEqual(['zh=./a', 'cot=./b'])
})
