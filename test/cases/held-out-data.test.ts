import { mkdirSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { caseFolder, quickstartModel } from './ift.fixture.js'

const folder = caseFolder('held-out-data')
const write = (name: string, from: number, to: number) => {
  const records = Array.from({ length: to - from }, (_, i) => ({
    instruction: `Say ${from + i}`,
    output: `It is ${from + i}`,
  }))
  writeFileSync(folder.path(name), records.map((record) => `${JSON.stringify(record)}\n`).join(''))
}
beforeAll(() => {
  write('few.jsonl', 0, 4)
  write('one.jsonl', 0, 1)
  for (const name of ['hub/data', 'only', 'named/train_sft'])
    mkdirSync(folder.path(name), { recursive: true })
  write('hub/data/train-00000-of-00001.jsonl', 0, 5)
  write('hub/data/validation-00000-of-00001.jsonl', 5, 8)
  write('hub/data/test-00000-of-00001.jsonl', 8, 20)
  write('hub/latest.jsonl', 20, 21)
  write('only/test.jsonl', 0, 3)
  write('named/train_sft/0.jsonl', 0, 2)
  write('named/test_sft.jsonl', 2, 9)
})
afterAll(() => {
  folder.remove()
})

const flags = ['--weights', quickstartModel, '--template', 'alpaca']
const planned = (...more: string[]) =>
  JSON.parse(folder.output('plan', ...flags, '--json', ...more)) as { sequences: number; heldOut: number }
const printed = (...more: string[]) => folder.ift(['plan', ...flags, ...more])

test('a share that rounds to nothing is one sample', () => {
  expect(planned('--data', 'few.jsonl', '--validation.size', '0.1')).toMatchObject({
    sequences: 3,
    heldOut: 1,
  })
  expect(planned('--data', 'few.jsonl', '--validation.size', '0')).toMatchObject({ sequences: 4, heldOut: 0 })
})

test('a share of a single sample is refused with the numbers', () => {
  const { code, stderr } = printed('--data', 'one.jsonl', '--validation.size', '0.1')
  expect(code).toBe(1)
  expect(stderr).toContain('IFT_DATA_SPLIT')
  expect(stderr).toMatch(/0\.1 holds out 1 of 1/)
})

test('of a set with splits, what is not held out is trained on, and the plan says so', () => {
  expect(planned('--data', './hub').sequences).toBe(6)
  expect(printed('--data', './hub').stdout).toMatch(
    /held out by their names and not read: test-00000-of-00001\.jsonl, validation-00000-of-00001\.jsonl/,
  )
  expect(planned('--data', './named').sequences).toBe(2)
})

test('a split that is named is read, and a file that is named', () => {
  writeFileSync(
    folder.path('ift.config.json'),
    JSON.stringify({ data: { path: './hub', split: 'test' }, validation: { data: './hub' } }),
  )
  expect(planned()).toMatchObject({ sequences: 12, heldOut: 3 })
  writeFileSync(folder.path('ift.config.json'), JSON.stringify({ data: { path: './hub', split: 'all' } }))
  expect(planned()).toMatchObject({ sequences: 21 })
  writeFileSync(folder.path('ift.config.json'), '{}')
  expect(planned('--data', './only/test.jsonl').sequences).toBe(3)
})

test('a set with nothing but held-out data is refused', () => {
  const { code, stderr } = printed('--data', './only')
  expect(code).toBe(1)
  expect(stderr).toContain('IFT_DATA_SPLIT')
  expect(stderr).toContain('test.jsonl')
})
