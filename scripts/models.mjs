// @ts-check Writes docs/models.md: measured errors and planned memory of each family (scripts/docs/models.mjs).   npm
// run build && node scripts/models.mjs
import { readdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { builtinOptimizers, countMemory, wholeBatch } from '@ift/core'
import { defaultTargets } from '@ift/core/model'
import { goldenErrors, modelsOf } from '@ift/core/testing'
import { openCpu } from '@ift/kernels-cpu'
import { lora } from '@ift/peft-lora'
import { quantizeLinears } from '@ift/tensor'
import { modelsPage, publishedSizes } from './docs/models.mjs'

const at = (/** @type {string} */ path) => fileURLToPath(new URL(`../${path}`, import.meta.url))

const names = readdirSync(at('packages')).filter((name) => name.startsWith('model-'))
const definitions = []
for (const name of names) {
  const { plugin } = await import(`@ift/${name}`)
  definitions.push(...modelsOf(plugin))
}
const published = publishedSizes(definitions)
const planner = {
  countMemory,
  wholeBatch,
  quantizeLinears,
  defaultTargets,
  method: lora,
  optimizers: builtinOptimizers,
}
const errors = new Map()
for (const { golden, definition } of published)
  for (const folder of golden)
    if (!errors.has(folder))
      errors.set(
        folder,
        await goldenErrors(definition, at(`fixtures/${folder}`), () => openCpu({ threads: 2 })),
      )
writeFileSync(at('docs/models.md'), await modelsPage(published, planner, errors))
console.log(at('docs/models.md'))
