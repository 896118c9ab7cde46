import { mkdtemp, copyFile, rm, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { datasetConformance, datasetsOf } from '@ift/core/testing'
import { alpaca, plugin } from './index.js'

const shared =
  process.env['IFT_SHARED'] ?? resolve(fileURLToPath(new URL('../../../../../shared', import.meta.url)))
const sample = join(shared, 'samples/alpaca/alpaca_data_cleaned_1000.json')

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ift-alpaca-'))
  const own = Array.from({ length: 5 }, (_, i) => ({
    instruction: `Name ${i}.`,
    input: i % 2 ? 'x' : '',
    output: `${i}`,
  }))
  await writeFile(join(folder, 'alpaca_data.json'), JSON.stringify(own))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

test('the plugin registers the dataset', () => {
  expect(datasetsOf(plugin)).toEqual([alpaca])
})

describe('the first release', () => {
  // The folder is made when the tests run.
  for (const [i, { name }] of datasetConformance(alpaca, { folder: '.' }).entries())
    test(name, () => datasetConformance(alpaca, { folder })[i]!.run())
})

if (!existsSync(sample)) process.stderr.write(`skipped: ${sample} is absent\n`)
test.skipIf(!existsSync(sample))('the cleaned file wins, and real records pass', async () => {
  await copyFile(sample, join(folder, 'alpaca_data_cleaned.json'))
  for (const { run } of datasetConformance(alpaca, { folder })) await run()
  const examples = []
  for await (const example of alpaca.load({
    rootDir: folder,
    seed: 1,
    file: (name) => Promise.resolve(join(folder, name)),
  }))
    examples.push(example)
  expect(examples).toHaveLength(50)
})
