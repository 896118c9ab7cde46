import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { caseFolder, quickstartModel, root } from '../cases/ift.fixture.js'

const folder = caseFolder('data-select')
afterAll(() => {
  folder.remove()
})

test('a run on a selection says which sets it takes, and its manifest has their names', () => {
  mkdirSync(folder.path('sets'))
  for (const name of ['alpaca', 'gsm8k'])
    cpSync(join(root, 'packages/datasets', name, 'fixtures/raw'), folder.path('sets'), { recursive: true })
  const query = 'name:alpaca|gsm8k* lang:en'
  writeFileSync(
    folder.path('ift.config.json'),
    JSON.stringify({
      weights: quickstartModel,
      template: 'alpaca',
      data: [{ select: query, path: './sets', cap: 2 }],
      train: { maxSteps: 1 },
      output: 'run',
    }),
  )
  const { code, stderr } = folder.ift(['train'])
  expect(stderr).toContain(`data[0]: select: ${query}: alpaca, gsm8k, gsm8k-raw.`)
  expect(code).toBe(0)
  const { config } = JSON.parse(folder.read('run/manifest.json')) as { config: { data: unknown } }
  expect(config.data).toMatchObject(
    ['alpaca', 'gsm8k', 'gsm8k-raw'].map((name) => ({ name, path: './sets', cap: 2 })),
  )
  expect(JSON.stringify(config.data)).not.toContain('select')
})

test('a composite of the original says what it stands for', () => {
  cpSync(join(root, 'packages/datasets/cot/fixtures/raw'), folder.path('sets'), { recursive: true })
  const { stderr, stdout } = folder.ift(['data', 'stats', '--data', '{"name":"alpaca-cot","path":"./sets"}'])
  expect(stderr).toContain('alpaca-cot stands for alpaca and cot.')
  expect(stdout).toMatch(/alpaca/)
})
