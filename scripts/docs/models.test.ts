import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { builtinOptimizers, countMemory, wholeBatch, type IftPlugin } from '@ift/core'
import { defaultTargets } from '@ift/core/model'
import { goldenErrors, modelsOf, type GoldenErrors } from '@ift/core/testing'
import { openCpu } from '@ift/kernels-cpu'
import { lora } from '@ift/peft-lora'
import { quantizeLinears } from '@ift/tensor'
import { modelsPage, publishedSizes, sizeOf } from './models.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const packages = readdirSync(`${root}packages`).filter((name) => name.startsWith('model-'))
const definitions = await Promise.all(
  packages.map(async (name) =>
    modelsOf(((await import(`${root}packages/${name}/src/index.ts`)) as { plugin: IftPlugin }).plugin),
  ),
)
const published = publishedSizes(definitions.flat())

const planner = {
  countMemory,
  wholeBatch,
  quantizeLinears,
  defaultTargets,
  method: lora,
  optimizers: builtinOptimizers,
}

/** Columns of logits and gradients. */
const measured = [3, 4]
const cells = (page: string) =>
  page.split('\n').map((line) => (line.startsWith('| ') ? line.slice(2, -2).split(' | ') : [line]))

test('docs/models.md is what the sources give (node scripts/models.mjs)', async () => {
  const errors = new Map<string, GoldenErrors>()
  for (const { golden, definition } of published)
    for (const folder of golden)
      if (!errors.has(folder))
        errors.set(
          folder,
          await goldenErrors(definition, `${root}fixtures/${folder}`, () => openCpu({ threads: 2 })),
        )
  const found = cells(await modelsPage(published, planner, errors))
  const written = cells(readFileSync(`${root}docs/models.md`, 'utf8'))
  const others = (rows: string[][]) => rows.map((row) => row.filter((_, i) => !measured.includes(i)))
  expect(others(written)).toEqual(others(found))
  // Rounding differs between instruction sets.
  for (const [i, row] of found.entries())
    for (const column of measured) {
      const error = Number(row[column])
      if (row.length < 5 || Number.isNaN(error)) continue
      expect(error, row[0]).toBeLessThan(1e-5)
      const ratio = error / Number(written[i]![column])
      expect(ratio, `${row[0]!}: ${row[column]!} is written as ${written[i]![column]!}`).toBeGreaterThan(0.1)
      expect(ratio, `${row[0]!}: ${row[column]!} is written as ${written[i]![column]!}`).toBeLessThan(10)
    }
})

test('every package and every family has a published size', () => {
  expect([...new Set(published.map((one) => `model-${one.package}`))].sort()).toEqual(packages)
  const families = definitions.flat().map(({ name }) => name)
  expect([...new Set(published.map(({ definition }) => definition.name))].sort()).toEqual(families.sort())
})

describe('parameters are those of the published checkpoints', () => {
  // Elements of all tensors that each checkpoint holds, a tied head counted once.
  test.each([
    ['LLaMA 7B', 6_738_415_616],
    ['Llama 3, 3.1 8B', 8_030_261_248],
    ['Llama 3.1 405B', 405_853_388_800],
    ['TinyLlama 1.1B', 1_100_048_384],
    ['SmolLM2 135M', 134_515_008],
    ['Mistral 7B v0.1', 7_241_732_096],
    ['Qwen2, Qwen2.5 0.5B', 494_032_768],
    ['Qwen2, Qwen2.5 1.5B', 1_543_714_304],
    ['Qwen2.5 3B', 3_085_938_688],
    ['Qwen2, Qwen2.5 7B', 7_615_616_512],
    ['Qwen2.5 14B', 14_770_033_664],
    ['Qwen2.5 32B', 32_763_876_352],
    ['Qwen2, Qwen2.5 72B', 72_706_203_648],
    ['Qwen3 0.6B', 596_049_920],
    ['Qwen3 4B', 4_022_468_096],
    ['Qwen3 8B', 8_190_735_360],
    ['BLOOM, BLOOMZ 560m', 559_214_592],
    ['BLOOM, BLOOMZ 7b1', 7_069_016_064],
    ['BLOOM, BLOOMZ 176B', 176_247_271_424],
    ['ChatGLM 6B', 6_707_929_088],
    ['ChatGLM2 6B', 6_243_584_000],
    ['ChatGLM3 6B', 6_243_584_000],
    ['GLM-4 9B', 9_399_951_360],
    ['InternLM2, InternLM2.5 7B', 7_737_708_544],
    ['Gemma 2B', 2_506_172_416],
    ['Gemma 7B', 8_537_680_896],
    ['Gemma 3 270M', 268_098_176],
    ['Gemma 3 1B', 999_885_952],
    ['Phi-3-mini 3.8B', 3_821_079_552],
    ['Phi-4 14B', 14_659_507_200],
  ])('%s: %i', (size, parameters) => {
    const found = published.find((one) => one.size === size)!
    expect(sizeOf(found, planner).parameters).toBe(parameters)
  })
})
