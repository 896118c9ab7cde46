import { expect, test } from 'vitest'
import { extensionOf, isArchive, isDataFile, isDataName, parseEntry } from './data-names.js'

test.each([
  ['a.jsonl', '.jsonl', true],
  ['p/A.JSONL.GZ', '.jsonl', true],
  ['a.csv.zst', '.csv', true],
  ['a.parquet', '.parquet', true],
  ['.a.json', '.json', false],
  ['p/dataset_infos.json', '.json', false],
  ['rows.tgz', '.tar', false],
  ['rows.tar.zst', '.tar', false],
  ['a.txt', '.txt', false],
  ['json', '', false],
])('%s', (name, extension, isData) => {
  expect(extensionOf(name)).toBe(extension)
  expect(isDataFile(name)).toBe(isData)
})

test('what is named itself may be hidden, or a list of data sets', () => {
  expect(['.a.json', 'dataset_info.json', 'a.md'].map(isDataName)).toEqual([true, true, false])
})

test.each(['zip', 'tar', 'tar.gz', 'tgz', 'tar.zst', 'tzst', 'ZIP'])('entries of a .%s', (extension) => {
  const archive = `a!/b.${extension}`
  expect(isArchive(archive)).toBe(true)
  expect(parseEntry(`${archive}!/c!/d.json`)).toEqual({ archive, inside: 'c!/d.json' })
  expect(parseEntry(`a.gz!/b.json`)).toBeNull()
})
