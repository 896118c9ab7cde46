import { expect, test } from 'vitest'
import { IftError } from '@ift/tensor'
import { globMatches } from './glob.js'
import { select, selectDatasets, type SelectableDataset } from './index.js'

type Tags = NonNullable<SelectableDataset['tags']>
const set = (
  name: string,
  tags: readonly [Tags['lang'], Tags['task'], Tags['gen']],
  more: Partial<SelectableDataset> = {},
): SelectableDataset => ({
  ...{ name, package: `@ift/dataset-${name}`, title: null, kind: ['instruction'], count: null },
  tags: { lang: tags[0], task: tags[1], gen: tags[2] },
  license: { id: 'MIT', commercial: true, shareAlike: false },
  ...{ evaluation: [], variantOf: null },
  ...more,
})

const all = [
  set('alpaca', [['EN'], ['MT'], ['SI']], {
    title: 'Stanford Alpaca',
    count: 52_002,
    license: { id: 'CC-BY-NC-4.0', commercial: false, shareAlike: false },
  }),
  set('belle', [['CN'], ['TS', 'MT'], ['SI']], { license: { id: 'GPL-3.0-only', commercial: false } }),
  set('belle-decoded', [['CN'], ['TS', 'MT'], ['SI']], { package: '@ift/dataset-belle', variantOf: 'belle' }),
  set('exam', [['CN'], ['MT'], ['COL']], { kind: ['exam'], evaluation: ['GAOKAO-Bench'], count: 2811 }),
  set('dolly', [['EN'], ['TS'], ['HG']], {
    count: 15_011,
    license: { id: 'CC-BY-SA-3.0', commercial: true, shareAlike: true },
  }),
  set('csl', [['CN'], ['MT'], ['COL']], { count: 396_209, license: { id: 'none stated' } }),
  set('two', [['EN', 'CN'], ['MT'], ['MIX']], { kind: ['dialog'], count: 100_000 }),
]

const names = (query: string) => selectDatasets(all, query, { purpose: 'all' }).map(({ name }) => name)

test.each([
  ['', ['alpaca', 'belle', 'belle-decoded', 'exam', 'dolly', 'csl', 'two']],
  ['lang:cn gen:si', ['belle', 'belle-decoded']],
  ['LANG:Cn\tGEN:Si', ['belle', 'belle-decoded']],
  ['gen:hg|col', ['exam', 'dolly', 'csl']],
  ['gen:hg,col -kind:exam', ['dolly', 'csl']],
  ['gen:hg|lang:cn task:ts', ['belle', 'belle-decoded', 'dolly']],
  ['lang:en !licence:nc', ['dolly', 'two']],
  ['-lang:cn|en', []],
  ['license:sa', ['dolly']],
  ['licence:commercial lang:en', ['dolly', 'two']],
  ['licence:gpl', ['belle']],
  ['licence:cc-by-sa', ['dolly']],
  ['licence:cc-by-nc-4.0', ['alpaca']],
  ['licence:cc-by-*', ['alpaca', 'dolly']],
  ['licence:"none stated"', ['csl']],
  ['count:<100k', ['alpaca', 'exam', 'dolly']],
  ['count:<=0.1M count:>15011', ['alpaca', 'two']],
  ['count:>=10万', ['csl', 'two']],
  ['count:2811', ['exam']],
  ['name:bel*', ['belle', 'belle-decoded']],
  ['name:belle', ['belle']],
  ['package:belle', ['belle', 'belle-decoded']],
  ['package:@ift/dataset-b*', ['belle', 'belle-decoded']],
  ['stanford', ['alpaca']],
  ['"stanford alpaca"', ['alpaca']],
  ['BELLE -name:*-decoded', ['belle']],
  ['语言:中文 任务:多任务 来源:自指令', ['belle', 'belle-decoded']],
  ['语言：中文　类型：考试', ['exam']],
  ['语言:英文 -许可:非商业', ['dolly', 'two']],
  ['来源:人工、收集', ['exam', 'dolly', 'csl']],
])('%s', (query, expected) => {
  expect(names(query)).toEqual(expected)
})

test.each([
  ['langs:cn', 'there is no key "langs"', 'Did you mean lang?'],
  ['语种:中文', 'there is no key "语种"', undefined],
  ['lang:chinse', 'expected one of EN, CN, ML', 'Did you mean chinese?'],
  ['task:xx', 'expected one of MT, TS', undefined],
  ['kind:dialogs', 'expected one of instruction, dialog', 'Did you mean dialog?'],
  ['licence:mitt', 'there is no licence "mitt"', 'Did you mean MIT?'],
  ['name:bele', 'there is no dataset "bele"', 'Did you mean belle?'],
  ['-bele', 'there is no dataset "bele"', 'Did you mean belle?'],
  ['name:x*y', 'there is no dataset like x*y', undefined],
  ['package:bellle', 'there is no package "bellle"', 'Did you mean belle?'],
  ['count:many', 'expected a number', 'count:<100k'],
  ['lang:', 'expected a value of lang', undefined],
  ['lang:cn|', 'expected a value of lang', undefined],
  ['-', 'expected a value or a word', undefined],
  ['licence:"none', 'second quotation mark', undefined],
  ['constructor:x', 'there is no key "constructor"', undefined],
  ['lang:toString', 'expected one of EN', undefined],
  ['x'.repeat(2001), 'at most 2000 signs', undefined],
])('%s is refused', (query, message, hint) => {
  let error: unknown
  try {
    names(query)
  } catch (thrown) {
    error = thrown
  }
  expect(error).toBeInstanceOf(IftError)
  const { code, message: said, hint: told } = error as IftError
  expect(code).toBe('IFT_SELECTION')
  expect(said).toContain(message)
  if (hint !== undefined) expect(told).toContain(hint)
})

test('for training, evaluation data and variants of what is taken are left out unless they are named', () => {
  const found = select(all, 'lang:cn')
  const namesOf = (of: readonly SelectableDataset[]) => of.map(({ name }) => name)
  expect(namesOf(found.datasets)).toEqual(['belle', 'csl', 'two'])
  expect(namesOf(found.evaluation)).toEqual(['exam'])
  expect(namesOf(found.variants)).toEqual(['belle-decoded'])
  expect(namesOf(selectDatasets(all, 'name:exam'))).toEqual(['exam'])
  expect(namesOf(selectDatasets(all, 'exam|csl'))).toEqual(['exam', 'csl'])
  expect(namesOf(selectDatasets(all, '-name:belle lang:cn'))).toEqual(['belle-decoded', 'csl', 'two'])
  // What is denied is not named.
  expect(namesOf(selectDatasets(all, 'lang:cn -name:csl'))).toEqual(['belle', 'two'])
})

test('a pattern of a name takes time that grows with the product of the lengths at most', () => {
  const started = performance.now()
  expect(globMatches('*a'.repeat(500) + 'b', 'a'.repeat(2000))).toBe(false)
  expect(performance.now() - started).toBeLessThan(1000)
  expect(globMatches('a*?', 'a')).toBe(false)
  expect(globMatches('A*c?', 'abcCd')).toBe(true)
})
