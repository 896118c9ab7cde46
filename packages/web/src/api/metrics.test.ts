import { expect, it } from 'vitest'
import { columnsBytes, RunColumns } from '../../../serve/src/api/metric-columns.js'
import { metricsOf } from './metrics.js'

it('reads what the server writes: columns of every length, NaN for what is missing', () => {
  const columns = new RunColumns()
  for (let step = 1; step <= 100; step++)
    columns.train.add(step, { loss: 1 / step, ...(step > 90 && { penalty: null }) })
  columns.evaluation.add(50, { loss: 0.5 })
  const bytes = columnsBytes(columns, { position: 'a.101.0', broken: 2 })
  const { train, evaluation, ...facts } = metricsOf(bytes.buffer)
  expect(facts).toEqual({ position: 'a.101.0', broken: 2 })
  expect(train['step']).toEqual(Float64Array.from({ length: 100 }, (_, i) => i + 1))
  expect(train['loss']![99]).toBe(0.01)
  expect(train['penalty']).toEqual(new Float64Array(100).fill(Number.NaN))
  expect(evaluation).toEqual({ step: Float64Array.of(50), loss: Float64Array.of(0.5) })
  expect(columns.train.json()['penalty']![99]).toBeNull()
})

it('reads a run without lines', () => {
  const { train, evaluation } = metricsOf(
    columnsBytes(new RunColumns(), { position: '0.0.0', broken: 0 }).buffer,
  )
  expect([train, evaluation]).toEqual([{ step: new Float64Array() }, { step: new Float64Array() }])
})
