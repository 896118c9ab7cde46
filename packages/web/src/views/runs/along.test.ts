import { expect, it } from 'vitest'
import { MetricColumns } from '../run/columns.js'
import { along } from './along.js'

const run = {
  train: new MetricColumns({ step: [1, 2, 4], loss: [3, 2, 1], tokens: [10, 20, 30], seconds: [1, 2, 3] }),
  evaluation: new MetricColumns({ step: [2, 4], loss: [2.5, 1.5] }),
}

it('draws over steps, tokens and time', () => {
  expect(along(run, 'loss', 'step')).toEqual({ x: [1, 2, 4], y: [3, 2, 1] })
  expect([...(along(run, 'loss', 'tokens').x as Float64Array)]).toEqual([10, 30, 90])
  expect([...(along(run, 'loss', 'seconds').x as Float64Array)]).toEqual([1, 3, 9])
})

it('puts evaluations where their step is', () => {
  const { x, y } = along(run, null, 'tokens')
  expect([...(x as Float64Array)]).toEqual([30, 90])
  expect(y).toEqual([2.5, 1.5])
})

it('takes the time of the run where it is known', () => {
  const timed = { ...run, train: new MetricColumns({ step: [1, 2], loss: [3, 2], elapsed: [5, 9] }) }
  expect([...(along(timed, 'loss', 'seconds').x as Float64Array)]).toEqual([5, 9])
})
