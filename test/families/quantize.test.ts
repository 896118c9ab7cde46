import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { logitsOf, packedInput } from '@ift/core/testing'
import { openCpu } from '@ift/kernels-cpu'
import { quantizeLinears } from '@ift/tensor'
import { fixture, readJson } from '../fixture/files.js'
import { allDefinitions, definitionOf, openTiny } from '../fixture/models.js'

const definitions = await allDefinitions()

const published = readdirSync(fixture('published')).flatMap((file) =>
  (readJson(fixture('published', file)) as { golden: string[] }[]).flatMap(({ golden }) => golden),
)

/** Tokens that all of the small vocabularies have. */
const ids = Array.from({ length: 20 }, (_, i) => 3 + ((i * 7) % 29))

test.each([...new Set(published)])('%s runs with its layers in nf4 and int8', async (folder) => {
  const backend = openCpu({ threads: 2 })
  const definition = definitionOf(definitions, folder)
  const logits: Float32Array[] = []
  for (const format of [null, 'int8', 'nf4'] as const) {
    const { model } = await openTiny(backend, definition, folder, {
      prepare: (model) => {
        if (format !== null) expect(quantizeLinears(model, format, [model.lmHead]).length).toBeGreaterThan(0)
      },
    })
    logits.push(await logitsOf(model, () => packedInput(backend, model, [ids])))
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
