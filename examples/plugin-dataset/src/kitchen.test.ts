import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { InstructionExample } from '@ift/core'
import { datasetConformance, datasetsOf, manifestConformance } from '@ift/core/testing'
import { afterAll, describe, expect, test } from 'vitest'
import { plugin } from './index.js'

const kitchen = datasetsOf(plugin)[0]!

const folder = fileURLToPath(new URL('../data', import.meta.url))
const broken = mkdtempSync(join(tmpdir(), 'ift-kitchen-'))
afterAll(() => {
  rmSync(broken, { recursive: true, force: true })
})

async function load(seed: number, from = folder): Promise<InstructionExample[]> {
  const examples: InstructionExample[] = []
  const file = (name: string) => Promise.resolve(join(from, name))
  for await (const example of kitchen.load({ rootDir: from, seed, file }))
    examples.push(example as InstructionExample)
  return examples
}

describe('conformance', () => {
  for (const { name, run } of datasetConformance(kitchen, { folder })) test(name, run)
  const own = fileURLToPath(new URL('..', import.meta.url))
  for (const { name, run } of manifestConformance(plugin, own)) test(name, run)
})

test('rows become examples; the seed words questions about a passage', async () => {
  const examples = await load(1)
  expect(examples).toHaveLength(kitchen.size!.count)
  expect(examples[5]).toEqual({
    instruction: 'Can I use baking soda instead of baking powder?',
    input: '',
    output: 'Only with something sour such as yoghurt; soda needs an acid to give off gas.',
  })
  expect(examples[12]!.output).toContain('"exploding"')
  const wordings = new Set<string>()
  for (let seed = 0; seed < 20; seed++)
    for (const { instruction, input } of await load(seed)) if (input !== '') wordings.add(instruction)
  expect(wordings.size).toBe(3 * examples.filter(({ input }) => input !== '').length)
})

test('a row without an answer is counted; a table without the columns is refused', async () => {
  const file = join(broken, 'kitchen.csv')
  const reasons: string[] = []
  const context = {
    rootDir: broken,
    seed: 1,
    file: () => Promise.resolve(file),
    dropped: (reason: string, where: string) => reasons.push(`${where}: ${reason}`),
  }
  writeFileSync(file, 'topic,question,passage,answer\nheat,Why?,,\nheat,How?,,So.\n')
  const examples = []
  for await (const example of kitchen.load(context)) examples.push(example)
  expect(examples).toEqual([{ instruction: 'How?', input: '', output: 'So.' }])
  expect(reasons).toEqual([`${file}:2: no answer`])
  writeFileSync(file, 'topic,ask,reply\nheat,Why?,So.\n')
  await expect(load(1, broken)).rejects.toThrow(
    `${file}:2: no record of the file gives an example of kitchen (1 no question); the fields of the first are topic, ask, reply.`,
  )
})
