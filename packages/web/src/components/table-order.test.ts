import { describe, expect, it } from 'vitest'
import { bestOf, sorted } from './table-order.js'

const rows = [
  { name: 'b', loss: 2 },
  { name: 'a10', loss: null },
  { name: 'a9', loss: 1 },
  { name: 'c', loss: 2 },
]
const names = (list: readonly { name: string }[]) => list.map(({ name }) => name).join()

describe('order of tables', () => {
  it('is stable, with rows without a value at the end both ways', () => {
    expect(names(sorted(rows, ({ loss }) => loss, false))).toBe('a9,b,c,a10')
    expect(names(sorted(rows, ({ loss }) => loss, true))).toBe('b,c,a9,a10')
  })

  it('reads numbers in names', () => {
    expect(names(sorted(rows, ({ name }) => name, false))).toBe('a9,a10,b,c')
  })

  it('finds the best only where one is better', () => {
    expect(bestOf(rows, ({ loss }) => loss, 'low')).toBe(1)
    expect(bestOf(rows, ({ loss }) => loss, 'high')).toBe(2)
    expect(bestOf(rows.slice(0, 2), ({ loss }) => loss, 'low')).toBe(null)
    expect(bestOf([rows[0]!, rows[3]!], ({ loss }) => loss, 'low')).toBe(null)
  })
})
