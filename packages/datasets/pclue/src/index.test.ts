import { collectionConformance, datasetsOf } from '@ift/core/testing'
import { expect, test } from 'vitest'
import { fileURLToPath } from 'node:url'
import { plugin } from './index.js'

const folder = new URL('..', import.meta.url)
for (const { name, run } of collectionConformance(plugin, folder)) test(name, run)

test('every seed shows five to nine choices, each once, with the right one', async () => {
  const path = fileURLToPath(new URL('fixtures/raw/datasets/pCLUE_train_9.json', folder))
  const sampled = datasetsOf(plugin).find(({ name }) => name === 'pclue-sampled')!
  const sizes = new Set<number>()
  for (let seed = 0; seed < 100; seed++) {
    const made: { instruction: string; output: string }[] = []
    const file = () => Promise.resolve(path)
    for await (const example of sampled.load({ rootDir: '.', seed, file })) made.push(example as never)
    const { instruction, output } = made[2]!
    const choices = /选项：(.*)\n/.exec(instruction)![1]!.split('，')
    expect(choices).toContain(output)
    expect(new Set(choices).size).toBe(choices.length)
    sizes.add(choices.length)
  }
  expect([...sizes].sort()).toEqual([5, 6, 7, 8, 9])
})
