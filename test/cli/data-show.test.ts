import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { caseFolder, quickstartModel, root } from '../cases/ift.fixture.js'

const folder = caseFolder('data-show')
afterAll(() => {
  folder.remove()
})
const fixtures = (name: string) => join(root, 'packages/datasets', name, 'fixtures/raw')

test('the card of a dataset: licence with its terms, warnings, files upstream', () => {
  const { stdout, stderr, code } = folder.ift(['data', 'show', 'firefly-no-belle'])
  expect(code).toBe(0)
  expect(stdout).toMatch(/package +@ift\/dataset-firefly\n/)
  expect(stdout).toMatch(/records +1,106,114 pairs \(counts of the kinds/)
  expect(stdout).toMatch(/licence +none stated, commercial use not stated\n/)
  expect(stdout).toMatch(/variant of +firefly\n/)
  expect(stdout).toMatch(/warning +contains cot-zh:74,771 records\n/)
  // That is what the variant is without.
  expect(stdout).not.toContain('contains belle')
  expect(folder.output('data', 'show', 'firefly')).toMatch(/contains belle:543,285 records\n/)
  expect(stdout).toMatch(/published +YeungNLP\/firefly-train-1\.1M\n +firefly-train-1\.1M\.jsonl\n/)
  expect(stderr).toContain('npx ift data show firefly-no-belle FOLDER')
  const alpaca = folder.output('data', 'show', 'alpaca')
  expect(alpaca).toMatch(/licence +CC-BY-NC-4\.0, not for commercial use, with the terms of OpenAI\n/)
  expect(folder.output('data', 'show', 'auto-cot')).toMatch(
    /warning +holds data that others evaluate on: SVAMP\n/,
  )
})

test('an example as the model reads it, where the folder of the files is named', () => {
  const { stdout, stderr, code } = folder.ift(['data', 'show', 'gsm8k', fixtures('gsm8k')])
  expect(code).toBe(0)
  expect(stderr).toContain('template alpaca')
  expect(stdout).toMatch(/### Instruction:\n.+\n\n### Response:\n?⟦.+⟧/s)
  const { example, name } = JSON.parse(
    folder.output('data', 'show', 'gsm8k', fixtures('gsm8k'), '--json', '--template', 'chatml'),
  ) as { name: string; example: { template: string; segments: { text: string; trained: boolean }[] } }
  expect([name, example.template]).toEqual(['gsm8k', 'chatml'])
  expect(example.segments.some(({ trained }) => trained)).toBe(true)
})

test('the folder, the template and the model are those of the config', () => {
  const config = { weights: quickstartModel, data: [{ name: 'gsm8k', path: fixtures('gsm8k') }] }
  writeFileSync(folder.path('ift.config.json'), JSON.stringify({ ...config, template: 'vicuna' }))
  const { stderr, stdout } = folder.ift(['data', 'show', 'gsm8k'])
  expect(stderr).toContain('template vicuna')
  expect(stdout).toMatch(/USER: .+ASSISTANT: ?⟦/s)
})

test('a name that nobody has is refused with what was probably meant', () => {
  const { stderr, code } = folder.ift(['data', 'show', 'firefli'])
  expect(code).toBe(2)
  expect(stderr).toContain('Did you mean firefly?')
  expect(folder.ift(['data', 'show']).stderr).toContain('takes the name of a dataset')
  expect(folder.ift(['data', 'show', 'gsm8k', './nowhere']).code).toBe(1)
})
