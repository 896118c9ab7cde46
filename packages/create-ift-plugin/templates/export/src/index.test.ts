import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ExportedModel } from '@ift/core'
import { manifestConformance } from '@ift/core/testing'
import { llama } from '@ift/model-llama'
import { keep, tensor } from '@ift/tensor'
import { referenceBackend } from '@ift/tensor/reference'
import { afterAll, describe, expect, test } from 'vitest'
import { format, plugin } from './index.js'

const folder = mkdtempSync(join(tmpdir(), '__name__-'))
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

/** A LLaMA of zeros. */
function tinyModel(): Pick<ExportedModel, 'model' | 'names'> {
  const backend = referenceBackend()
  const model = llama.build(
    llama.parseConfig({
      vocab_size: 7,
      hidden_size: 4,
      intermediate_size: 6,
      num_hidden_layers: 1,
      num_attention_heads: 2,
    }),
  )
  for (const [, parameter] of model.namedParameters()) {
    const size = parameter.shape.reduce((a, b) => a * b, 1)
    parameter.assign(keep(tensor(backend, new Float32Array(size), [...parameter.shape], 'f32')))
  }
  return { model, names: new Map([['lm_head.weight', 'output.weight']]) }
}

test('every parameter is written, under its name in the checkpoint', async () => {
  const out = join(folder, 'parameters.json')
  const claimed: string[] = []
  const { written } = await format.run({
    out,
    options: {},
    merged: () => Promise.resolve(tinyModel() as ExportedModel),
    adapted: () => Promise.reject(new Error('not asked for')),
    claim: (path) => {
      claimed.push(path)
      return Promise.resolve()
    },
    note: () => undefined,
  })
  expect([written, claimed]).toEqual([[out], [out]])
  const found = JSON.parse(readFileSync(out, 'utf8')) as unknown[]
  expect(found).toHaveLength(12)
  expect(found).toContainEqual({ name: 'output.weight', shape: [7, 4], dtype: 'f32' })
})

describe('package.json', () => {
  const own = fileURLToPath(new URL('..', import.meta.url))
  for (const { name, run } of manifestConformance(plugin, own)) test(name, run)
})
