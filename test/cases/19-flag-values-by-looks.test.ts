import { cpSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { caseFolder, quickstartModel } from './ift.fixture.js'

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
  const { code, stdout, stderr } = plan('--weights', quickstartModel, '--validation.size', '.5')
  expect(stderr).not.toContain('Invalid')
  expect(stdout + stderr).not.toContain('expected number')
  if (code === 0) expect((JSON.parse(stdout) as { heldOut: number }).heldOut).toBeGreaterThanOrEqual(0)
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
