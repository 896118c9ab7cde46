import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { caseFolder, quickstartModel, type CaseFolder } from './ift.fixture.js'

// A cache saves time, and nothing depends on it. A file in its place is what a read-only folder is to everybody but root.

let folder: CaseFolder
const model = ['--weights', quickstartModel, '--template', 'alpaca', '--device', 'cpu']
beforeAll(() => {
  folder = caseFolder('24-read-only-folder')
})
afterAll(() => {
  folder.remove()
})

test('plan writes nothing', () => {
  const before = readdirSync(folder.dir)
  folder.output('plan', ...model, '--data', 'one.jsonl')
  expect(readdirSync(folder.dir)).toEqual(before)
})

test('a run in a folder that cannot be written to goes without the cache', () => {
  writeFileSync(folder.path('.ift-cache'), '')
  folder.output('plan', ...model, '--data', 'one.jsonl')
  const { code, stderr } = folder.ift([
    ...['train', ...model, '--data', 'one.jsonl', '--train.maxSteps', '1', '--output', 'elsewhere'],
  ])
  expect(code, stderr).toBe(0)
  expect(stderr).toContain('Not kept for the next time')
  expect(existsSync(folder.path('elsewhere/adapter'))).toBe(true)
  const again = folder.ift(['inspect', ...model, '--data', 'one.jsonl'])
  expect(again.code, again.stderr).toBe(0)
  rmSync(folder.path('.ift-cache'))
})
