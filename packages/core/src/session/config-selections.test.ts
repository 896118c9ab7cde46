import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { Ift, PluginSession, type IftConfig } from '@ift/core'
import { compositeNotes, expandComposite } from '../data/composites.js'
import { cataloguePackage } from '../plugin/catalogue.js'
import { withoutSelections } from './config-selections.js'
import { findDatasets } from './find-datasets.js'
import { sourcesOf } from './record-source.js'

// Nothing is installed beside a folder of its own.
const dir = mkdtempSync(join(tmpdir(), 'ift-select-'))
afterAll(() => {
  rmSync(dir, { recursive: true })
})

const tea = (name: string, lang: 'EN' | 'CN', more: object = {}) =>
  cataloguePackage({
    package: `@x/${name}`,
    description: '',
    provides: { dataset: { [name]: {} } },
    card: {
      ...{ name, title: name, description: '.', datasets: { [name]: { description: '.' } } },
      ...{ tags: { lang: [lang], task: ['MT'], gen: ['SI'] }, kind: ['instruction'] },
      ...{ license: { id: 'MIT' }, upstream: [{ hub: `x/${name}` }], ...more },
    },
  } as never)
const catalogue = [
  tea('green', 'CN'),
  tea('red', 'CN'),
  tea('black', 'EN'),
  tea('cup-eval', 'CN', { evaluation: ['cups'] }),
]
const session = () => new PluginSession(dir, [], () => catalogue)
const resolved = (config: IftConfig) => withoutSelections(session(), config)

test('a selection becomes the names that it takes, each with the fields of the entry', () => {
  const { config, notes } = resolved({ data: [{ select: 'lang:cn gen:si', cap: 20000 }, 'black'] })
  expect(config).toEqual({ data: [{ name: 'green', cap: 20000 }, { name: 'red', cap: 20000 }, 'black'] })
  expect(notes).toEqual([
    'data[0]: select: lang:cn gen:si: green, red. Left out unless named: with evaluation data: cup-eval.',
  ])
  expect(resolved({ data: { select: 'lang:cn', share: 0.5 } }).config).toEqual({
    data: [
      { name: 'green', share: 0.25 },
      { name: 'red', share: 0.25 },
    ],
  })
})

test('validation and evaluation data are selected too, and evaluation data may hold such data', () => {
  const { config } = resolved({
    validation: { data: [{ select: 'name:black', limit: 10 }] },
    decontaminate: { against: [{ select: 'lang:cn', split: 'test' }], action: 'warn' },
  })
  expect(config).toEqual({
    validation: { data: [{ name: 'black', limit: 10 }] },
    decontaminate: {
      against: ['green', 'red', 'cup-eval'].map((name) => ({ name, split: 'test' })),
      action: 'warn',
    },
  })
  expect(resolved({ decontaminate: [{ select: 'name:cup*' }] }).config).toEqual({
    decontaminate: [{ name: 'cup-eval' }],
  })
})

test('a config without a selection stays as it is', () => {
  const config = { data: ['green', { name: 'red' }, './x.jsonl'], validation: { size: 2 } }
  expect(withoutSelections(session(), config)).toEqual({ config, notes: [] })
})

test.each([
  ['lang:cm', 'data[1]: Selection of datasets: lang:cm', 'Did you mean cn?'],
  ['lang:en -name:black', 'data[1]: select: lang:en -name:black takes no dataset.', 'npx ift data list'],
  ['lang:cn -name:green -name:red', 'left out are sets with evaluation data: cup-eval', 'name:cup-eval'],
])('%s is refused', (query, message, hint) => {
  expect(() => resolved({ data: ['green', { select: query }] })).toThrow(
    expect.objectContaining({
      code: 'IFT_SELECTION',
      message: expect.stringContaining(message) as string,
      hint: expect.stringContaining(hint) as string,
    }),
  )
})

test('packages that are not installed are named together, with the line that installs them', async () => {
  const config = resolved({ data: { select: 'lang:cn' } }).config as {
    data: { name: string; encoding: string }[]
  }
  await expect(findDatasets(session(), config.data, 1)).rejects.toMatchObject({
    code: 'IFT_PLUGIN_NOT_FOUND',
    message: 'The packages of 2 datasets are not installed: green, red.',
    hint: 'npm install @x/green @x/red',
  })
})

test('a selection is resolved when the config is read: the config of the session has names', async () => {
  await Ift.using(
    { cwd: dir, config: { data: { select: 'lang:cn gen:hg kind:instruction', cap: 5 } } },
    (ift) => {
      expect(ift.config.data).toEqual([{ name: 'cot-zh', cap: 5, encoding: 'utf-8' }])
      expect(ift.configNotes).toEqual(['data: select: lang:cn gen:hg kind:instruction: cot-zh.'])
      return Promise.resolve()
    },
  )
  await expect(Ift.load({ cwd: dir, config: { data: { select: 'lang:cn', name: 'cot' } } })).rejects.toThrow(
    'select stands beside name',
  )
})

test('names of the original platform stand for datasets, and say for which', async () => {
  expect(expandComposite('multiturn_chat')).toEqual(['belle-multiturn'])
  expect(expandComposite('CoT_Chinese_data')).toEqual(['cot-zh'])
  expect(compositeNotes(sourcesOf(['alpaca-belle-cot', 'dolly', 'multiturn_chat']))).toEqual([
    'alpaca-belle-cot stands for alpaca and belle and cot.',
    'multiturn_chat stands for belle-multiturn.',
  ])
  await Ift.using({ cwd: dir, config: { data: 'Chinese-instruction-collection' } }, (ift) => {
    const names = sourcesOf(ift.config.data).map(({ name }) => name)
    expect(names).toContain('belle')
    expect(names).not.toContain('alpaca')
    expect(ift.configNotes[0]).toMatch(/^data: select: lang:cn: /)
    return Promise.resolve()
  })
})
