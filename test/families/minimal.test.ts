import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { modelConformance } from '@ift/core/testing'
import { root } from '../fixture/files.js'
import { plugin } from './minimal.fixture.js'

test('docs/families.md shows the family that is tested here', () => {
  const [, shown] = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(root, 'docs/families.md'), 'utf8')) ?? []
  expect(shown).toBe(readFileSync(join(root, 'test/families/minimal.fixture.ts'), 'utf8'))
})

const config = {
  vocab_size: 13,
  hidden_size: 16,
  intermediate_size: 20,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
}
for (const { name, run } of modelConformance(plugin, { config })) test(name, run)
