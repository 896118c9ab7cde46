import { copyFileSync, existsSync, readdirSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { tinyCase, tinyRun } from './ift.fixture.js'

// A run's folder is named after its model, data and method, as far as file systems take names.

const folder = tinyCase('17-many-data-files')
afterAll(() => {
  folder.remove()
})

const trains = (...data: string[]): string[] => {
  const before = existsSync(folder.path('ift-runs')) ? readdirSync(folder.path('ift-runs')) : []
  const flags = ['--weights', './m', '--template', 'alpaca', '--device', 'cpu', '--train.maxSteps', '1']
  folder.output('train', ...flags, '--data', ...data)
  return readdirSync(folder.path('ift-runs')).filter((name) => !before.includes(name))
}

test('40 files', () => {
  const files = Array.from({ length: 40 }, (_, i) => `shard-of-my-corpus-${i + 1}.jsonl`)
  for (const name of files) copyFileSync(folder.path('part.jsonl'), folder.path(name))
  const [run, ...others] = trains(...files)
  expect(others).toEqual([])
  expect(run).toMatch(/^m-shard-of-my-corpus-1\+39-more-[0-9a-f]{8}-lora$/)
  // Other files are another run.
  expect(trains(...files.slice(0, 39))).toHaveLength(1)
})

test('one file of a long name, and few files as they are called', () => {
  const long = `${'語'.repeat(80)}.jsonl`
  copyFileSync(folder.path('part.jsonl'), folder.path(long))
  const [run] = trains(long)
  expect(Buffer.byteLength(run!)).toBeLessThan(150)
  expect(run).toMatch(/^m-語+-[0-9a-f]{8}-lora$/)
  expect(trains('part.jsonl', 'd.jsonl')).toEqual(['m-part+d-lora'])
})

test('an output of its own is taken as it is', () => {
  folder.output(...tinyRun('runs/{data}', 1))
  expect(existsSync(folder.path('runs/d'))).toBe(true)
})
