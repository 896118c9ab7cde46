import { expect, it } from 'vitest'
import { MetricColumns } from './columns.js'

it('reads columns, and grows by lines', () => {
  const columns = new MetricColumns({ step: [1, 2], loss: Float64Array.of(2, Number.NaN) })
  columns.append({ step: 3, values: { loss: 1.5, memory: 7 } })
  columns.append({ step: 4, values: { memory: 8 } })
  expect(columns.step).toEqual([1, 2, 3, 4])
  expect(columns.column('loss')).toEqual([2, Number.NaN, 1.5, Number.NaN])
  expect(columns.column('memory')).toEqual([Number.NaN, Number.NaN, 7, 8])
  expect(columns.column('none')).toHaveLength(4)
  expect(columns.newest('memory')).toBe(8)
  expect(columns.newest('loss')).toBeNull()
  expect(columns.has('loss')).toBe(true)
  expect(columns.has('none')).toBe(false)
})

it('takes a line that comes twice once, and none of the past', () => {
  const columns = new MetricColumns()
  columns.append({ step: 1, values: { loss: 2 } })
  columns.append({ step: 2, values: { loss: 1.9 } })
  columns.append({ step: 2, values: { loss: 1.8 } })
  columns.append({ step: 1, values: { loss: 9 } })
  expect(columns.step).toEqual([1, 2])
  expect(columns.column('loss')).toEqual([2, 1.8])
})
