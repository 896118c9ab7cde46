import { expect, test } from 'vitest'
import { adaloraOptions } from './options.js'
import { createSchedule, keptBy, prunedAt } from './schedule.js'

const size = { initial: 36, target: 18 }
const options = adaloraOptions.parse({ initR: 6, targetR: 3, tinit: 7, tfinal: 15, deltaT: 4 })
const schedule = createSchedule(options, size, 60)

test('the budget falls with the cube of what is left, every deltaT steps and at the last', () => {
  const pruned = Array.from({ length: 60 }, (_, i) => [i + 1, prunedAt(schedule, i + 1)] as const)
  // What PEFT's allocator gave: fixtures/peft-adalora/train-60/run.json.
  expect(pruned.filter(([, count]) => count !== null)).toEqual([
    [8, 2],
    [12, 7],
    [16, 10],
    [20, 13],
    [24, 15],
    [28, 17],
    [32, 18],
    [36, 18],
    [40, 18],
    [44, 18],
    [45, 18],
  ])
})

test('nothing is pruned where nothing was measured, and nothing below the target', () => {
  const one = createSchedule(adaloraOptions.parse({}), size, 1)
  expect(prunedAt(one, 1)).toBeNull()
  const few = { ...schedule, initial: 18 }
  for (let step = 1; step <= 60; step++) expect(prunedAt(few, step)).toBeNull()
})

test('a schedule without steps to prune in is refused with both sides', () => {
  expect(() => createSchedule(options, size, 22)).toThrow(
    'peft.tinit should be below the steps of the run less peft.tfinal, 22 - 15 = 7; found 7.',
  )
  expect(() => createSchedule(options, size, 23)).not.toThrow()
})

test('equal scores go together', () => {
  const scores = Float32Array.of(3, 1, 2, 1, 0, 1)
  expect([...keptBy(scores, 1)]).toEqual([1, 1, 1, 1, 0, 1])
  expect([...keptBy(scores, 2)]).toEqual([1, 0, 1, 0, 0, 0])
  expect([...keptBy(new Float32Array(4), 1)]).toEqual([0, 0, 0, 0])
})
