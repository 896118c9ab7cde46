import { existsSync } from 'node:fs'
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { DatasetDefinition, InstructionExample } from '@ift/core'
import { datasetConformance, datasetsOf } from '@ift/core/testing'
import { gsm8k, gsm8kRaw, plugin, solution, withoutCalculator } from './index.js'

const shared =
  process.env['IFT_SHARED'] ?? resolve(fileURLToPath(new URL('../../../../../shared', import.meta.url)))
const sample = join(shared, 'samples/cot/gsm8k_test.raw.jsonl')
const raw = {
  question: 'Two and 1/2 hens lay 3 eggs. How many?',
  answer: '2 + 1 = <<2+1=3>>3 hens.\n3 * 3 = <<3*3=9>>9 eggs.\n#### 9',
}

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ift-gsm8k-'))
  await writeFile(join(folder, 'train.jsonl'), `${JSON.stringify(raw)}\n`.repeat(3))
})
afterAll(() => rm(folder, { recursive: true, force: true }))
const load = async (dataset: DatasetDefinition) => {
  const examples: InstructionExample[] = []
  for await (const example of dataset.load({
    rootDir: folder,
    seed: 1,
    file: (name) => Promise.resolve(join(folder, name)),
  }))
    examples.push(example as InstructionExample)
  return examples
}

test('the plugin registers both forms', () => {
  expect(datasetsOf(plugin)).toEqual([gsm8k, gsm8kRaw])
})
test('marks go, the result becomes a sentence', async () => {
  expect((await load(gsm8k))[0]).toEqual({
    instruction: raw.question,
    input: '',
    output: '2 + 1 = 3 hens.\n3 * 3 = 9 eggs.\nThe answer is 9.',
  })
  expect((await load(gsm8kRaw))[0]!.output).toBe(raw.answer)
  expect(solution('no result')).toBe('no result')
  expect(withoutCalculator('a << b and c >> d')).toBe('a  d')
})
describe('conformance', () => {
  for (const dataset of [gsm8k, gsm8kRaw])
    for (const [i, { name }] of datasetConformance(dataset, { folder: '.' }).entries())
      test(name, () => datasetConformance(dataset, { folder })[i]!.run())
})

if (!existsSync(sample)) process.stderr.write(`skipped: ${sample} is absent\n`)
test.skipIf(!existsSync(sample))(
  'real problems: no mark is left and every result is a sentence',
  async () => {
    await copyFile(sample, join(folder, 'train.jsonl'))
    const [clean, published] = [await load(gsm8k), await load(gsm8kRaw)]
    expect(clean).toHaveLength(30)
    for (const [i, { output }] of clean.entries()) {
      expect(output).not.toMatch(/<<|>>|####/)
      const result = /#### (.*)$/.exec(published[i]!.output)![1]!
      expect(output.endsWith(`\nThe answer is ${result}.`)).toBe(true)
    }
  },
)
