import { writeFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { caseFolder, quickstartModel } from './ift.fixture.js'

const folder = caseFolder('20-peft-without-method')
afterAll(() => {
  folder.remove()
})

const trainable = (...flags: string[]) => {
  const line = ['plan', '--weights', quickstartModel, '--template', 'alpaca', '--data', 'one.jsonl', '--json']
  const { code, stdout, stderr } = folder.ift([...line, ...flags])
  expect(code, stderr).toBe(0)
  return (JSON.parse(stdout) as { trainable: number }).trainable
}

test('an option of the method keeps the default method', () => {
  const eight = trainable()
  expect(trainable('--peft.r', '16')).toBe(2 * eight)
  writeFileSync(folder.path('ift.config.json'), JSON.stringify({ peft: { r: 4 } }))
  expect(trainable()).toBe(eight / 2)
  expect(trainable('--peft.r', '16')).toBe(2 * eight)
})

test('the method none has no options, and says so', () => {
  const line = [
    'plan',
    '--weights',
    quickstartModel,
    '--data',
    'one.jsonl',
    '--peft.method',
    'none',
    '--peft.r',
    '4',
  ]
  const { code, stderr } = folder.ift(line)
  expect(code).toBe(2)
  expect(stderr).toContain('peft')
  expect(stderr).toContain('none')
})
