import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { loadWeights, openCheckpoint, type IftPlugin, type ModelDefinition } from '@ift/core'
import { modelsOf } from '@ift/core/testing'
import { openCpu } from '@ift/kernels-cpu'
import { quantizeLinears } from '@ift/tensor'
import { logitsOf, packed } from '../../packages/core/src/testing/forward.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const packages = readdirSync(`${root}packages`).filter((name) => name.startsWith('model-'))
const definitions: ModelDefinition[] = (
  await Promise.all(
    packages.map(async (name) =>
      modelsOf(((await import(`${root}packages/${name}/src/index.ts`)) as { plugin: IftPlugin }).plugin),
    ),
  )
).flat()

const published = readdirSync(`${root}fixtures/published`).flatMap((file) =>
  (JSON.parse(readFileSync(`${root}fixtures/published/${file}`, 'utf8')) as { golden: string[] }[]).flatMap(
    ({ golden }) => golden,
  ),
)

/** Tokens that all of the small vocabularies have. */
const ids = Array.from({ length: 20 }, (_, i) => 3 + ((i * 7) % 29))

test.each([...new Set(published)])('%s runs with its layers in nf4 and int8', async (folder) => {
  const backend = openCpu({ threads: 2 })
  const dir = `${root}fixtures/${folder}`
  const json = JSON.parse(readFileSync(`${dir}/config.json`, 'utf8')) as Record<string, unknown>
  const architecture = String((json['architectures'] as string[])[0])
  const definition = definitions.find((one) => one.architectures.includes(architecture))!
  const parsed: unknown = definition.parseConfig(json)
  const logits: Float32Array[] = []
  for (const format of [null, 'int8', 'nf4'] as const) {
    const model = definition.build(parsed)
    if (format !== null) expect(quantizeLinears(model, format, [model.lmHead]).length).toBeGreaterThan(0)
    await loadWeights(model, definition, parsed, await openCheckpoint(dir), { backend, dtype: 'f32' })
    logits.push(await logitsOf(model, () => packed(backend, model, [ids])))
    model.release()
  }
  expect(backend.memory().buffers).toBe(0)
  backend.close()
  const [plain, int8, nf4] = logits as [Float32Array, Float32Array, Float32Array]
  const size = Math.sqrt(plain.reduce((sum, x) => sum + x * x, 0) / plain.length)
  const apart = (other: Float32Array) =>
    Math.sqrt(other.reduce((sum, x, i) => sum + (x - plain[i]!) ** 2, 0) / plain.length) / size
  expect(apart(int8)).toBeGreaterThan(0)
  expect(apart(int8)).toBeLessThan(0.05)
  expect(apart(nf4)).toBeGreaterThan(apart(int8))
  expect(apart(nf4)).toBeLessThan(0.6)
})
