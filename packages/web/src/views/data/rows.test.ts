import { expect, it } from 'vitest'
import type { RowSummary } from '../../api/types.js'
import { isFiltered, noFilter, pageRows, RowCache, rowsPath, windowOf } from './rows.js'

it('writes the path of a page', () => {
  expect(rowsPath('run.a', 2, noFilter)).toBe(`/api/data/run.a/rows?page=2&size=${pageRows}`)
  expect(
    rowsPath('config', 0, {
      text: 'a&b',
      source: 'gsm8k',
      reason: 'cut',
      tag: 'lang:zh',
      span: { from: 256, to: 512 },
    }),
  ).toBe(
    '/api/data/config/rows?page=0&size=100&filter=a%26b&source=gsm8k&reason=cut&tag=lang%3Azh&from=256&to=512',
  )
  expect(isFiltered(noFilter)).toBe(false)
  expect(isFiltered({ ...noFilter, reason: 'cut' })).toBe(true)
})

it('keeps pages, and knows which are missing', () => {
  const cache = new RowCache()
  expect(cache.missing(0, 20)).toEqual([0])
  const row = (number: number) => ({ row: number }) as RowSummary
  cache.add({
    total: 250,
    page: 1,
    size: pageRows,
    rows: Array.from({ length: 100 }, (_, i) => row(100 + i)),
  })
  expect(cache.at(150)?.row).toBe(150)
  expect(cache.at(20)).toBeNull()
  expect(cache.missing(80, 400)).toEqual([0, 2])
  expect(cache.missing(110, 120)).toEqual([])
  cache.add({ total: 0, page: 0, size: pageRows, rows: [] })
  expect(cache.missing(0, 20)).toEqual([])
})

it('draws what shows', () => {
  expect(windowOf(0, 300, 30, 1000)).toEqual({ first: 0, last: 18 })
  expect(windowOf(3000, 300, 30, 1000)).toEqual({ first: 92, last: 118 })
  expect(windowOf(0, 300, 30, 3)).toEqual({ first: 0, last: 2 })
})
