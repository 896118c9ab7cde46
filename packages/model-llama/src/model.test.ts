import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { modelConformance } from '@ift/core/testing'
import { describe, test } from 'vitest'
import { plugin } from './index.js'

const fixture = (path: string) => fileURLToPath(new URL(`../../../fixtures/${path}`, import.meta.url))

const goldens = [
  'llama-tiny',
  ...readdirSync(fixture('llama-variants')).map((name) => `llama-variants/${name}`),
]

for (const golden of goldens) {
  describe(golden, () => {
    for (const { name, run } of modelConformance(plugin, { golden: fixture(golden) })) test(name, run)
  })
}
