import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { caseFolder, quickstartModel, root } from '../cases/ift.fixture.js'

const folder = caseFolder('records-without-examples')
afterAll(() => {
  folder.remove()
})

const planOf = (config: object) => {
  writeFileSync(
    folder.path('ift.config.json'),
    JSON.stringify({ weights: quickstartModel, template: 'alpaca', ...config }),
  )
  return folder.ift(['data', 'stats'])
}
const fixtures = (name: string) => join(root, 'packages/datasets', name, 'fixtures')

test('records of a dataset package that give no example are counted by reason', () => {
  cpSync(join(fixtures('alpaca'), 'raw'), folder.path('alpaca'), { recursive: true })
  const { code, stderr } = planOf({ data: { name: 'alpaca', path: './alpaca' } })
  expect(stderr).toContain('alpaca: records that gave no example: 1 × no answer.')
  expect(code).toBe(0)
  const { datasets } = JSON.parse(folder.output('data', 'stats', '--json')) as { datasets: unknown[] }
  expect(datasets).toMatchObject([{ name: 'alpaca', withoutExample: { 'no answer': 1 } }])
})

test("the original's converted files stand in for absent ones", () => {
  cpSync(join(fixtures('cot'), 'converted'), folder.path('cot'), { recursive: true })
  const { code, stderr } = planOf({ data: { name: 'cot', path: './cot' } })
  expect(stderr).not.toContain('no example')
  expect(code).toBe(0)
})

test('a file that is not of the dataset is refused', () => {
  mkdirSync(folder.path('other'))
  writeFileSync(folder.path('other/train.jsonl'), '{"prompt": "a", "completion": "b"}\n')
  const { code, stderr } = planOf({ data: { name: 'gsm8k', path: './other' } })
  expect(stderr).toMatch(/train\.jsonl:1: no record of the file gives an example of gsm8k \(1 no question\)/)
  expect(code).toBe(1)
})
