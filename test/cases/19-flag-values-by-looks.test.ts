import { cpSync, writeFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { caseFolder, quickstartModel, rows } from './ift.fixture.js'

const folder = caseFolder('19-flag-values-by-looks')
afterAll(() => {
  folder.remove()
})

const plan = (...flags: string[]) =>
  folder.ift(['plan', '--template', 'alpaca', '--data', 'one.jsonl', '--json', ...flags])

test('a text is a text whatever it looks like', () => {
  cpSync(quickstartModel, folder.path('7'), { recursive: true })
  const { code, stderr } = plan('--weights', '7')
  expect(stderr).toBe('')
  expect(code).toBe(0)
})

test('numbers are read as people write them', () => {
  writeFileSync(folder.path('four.jsonl'), rows(4))
  const line = [
    'plan',
    '--weights',
    quickstartModel,
    '--template',
    'alpaca',
    '--data',
    'four.jsonl',
    '--json',
  ]
  const { heldOut } = JSON.parse(folder.output(...line, '--validation.size', '.5')) as { heldOut: number }
  expect(heldOut).toBe(2)
})

test('lists in JSON and words, quoted values, and what is no number', () => {
  const trained = (...flags: string[]) => {
    const { code, stdout, stderr } = plan('--weights', quickstartModel, ...flags)
    expect(code, stderr).toBe(0)
    return (JSON.parse(stdout) as { trainable: number }).trainable
  }
  const two = trained('--peft.targetModules', 'q_proj', 'v_proj')
  expect(trained('--peft.targetModules', '["q_proj", "v_proj"]')).toBe(two)
  expect(trained('--peft.targetModules', '.*\\.(q|v)_proj')).toBe(two)
  expect(trained('--peft.targetModules', 'q_proj')).toBeLessThan(two)
  const wrong = plan('--weights', quickstartModel, '--train.epochs', 'many')
  expect(wrong.code).toBe(2)
  expect(wrong.stderr).toContain('train.epochs')
})
