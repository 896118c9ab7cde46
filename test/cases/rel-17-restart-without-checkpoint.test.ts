import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { tinyCase, tinyRun, type CaseFolder } from './ift.fixture.js'

let folder: CaseFolder
beforeAll(() => {
  folder = tinyCase('rel-17')
})
afterAll(() => {
  folder.remove()
})

const losses = (output: string) =>
  folder.lines(`${output}/metrics.jsonl`).map((line) => {
    const { step, values } = line as { step: number; values: { loss: number } }
    return [step, values.loss] as const
  })

test('a run that starts at step 0 starts its log there, whatever one before has left', async () => {
  const killed = folder.start(tinyRun('run', 3000, '--train.saveEvery', '0', '--train.seed', '9'))
  await killed.until(() => {
    try {
      return folder.lines('run/metrics.jsonl').length > 3
    } catch {
      return false
    }
  })
  killed.child.kill('SIGKILL')
  await killed.ended
  const before = new Set(readdirSync(folder.path('run/tensorboard')))
  folder.output(...tinyRun('run', 8))
  folder.output(...tinyRun('alone', 8))
  expect(losses('run')).toEqual(losses('alone'))
  const after = readdirSync(folder.path('run/tensorboard'))
  expect(after.length).toBe(1)
  expect(before.has(after[0]!)).toBe(false)
}, 60_000)

test('a torn line fails no run, at step 0 or behind a checkpoint', () => {
  mkdirSync(folder.path('torn'))
  writeFileSync(
    folder.path('torn/metrics.jsonl'),
    '{"step":1,"kind":"train","values":{"loss":9}}\n{"step":2,"ki',
  )
  const { code, stderr } = folder.ift(tinyRun('torn', 8))
  expect(code, stderr).toBe(0)
  expect(losses('torn').map(([step]) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
  // The disk was full for one line, and the run was cut behind it.
  const lines = folder.read('torn/metrics.jsonl').split('\n')
  writeFileSync(folder.path('torn/metrics.jsonl'), [lines[0], '{"step":2,"ki', ...lines.slice(2)].join('\n'))
  const again = folder.ift(tinyRun('torn', 8, '--resume'))
  expect(again.code, again.stderr).toBe(0)
}, 60_000)
