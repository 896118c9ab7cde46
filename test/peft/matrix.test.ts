import { describe, expect, test } from 'vitest'
import { peftMechanism } from '@ift/core/testing'
import { openCpu } from '@ift/kernels-cpu'
import { faultsOf, runCell, runCells } from '../../scripts/peft-matrix/cell.js'
import {
  allMethods,
  allModels,
  type MatrixMethod,
  type MatrixModel,
} from '../../scripts/peft-matrix/subjects.js'
import { allDefinitions } from '../fixture/models.js'

// The part of the matrix that is quick: every method on llama, one of each mechanism on every architecture. `npm run matrix`
// runs all.

const methods = await allMethods()
const models = await allModels()
const llama = models.find(({ family }) => family === 'llama')!

/** The first model of each architecture. */
const architectures = models.filter(
  ({ architecture }, i) => models.findIndex((one) => one.architecture === architecture) === i,
)

/** Every method with llama, or with the first model that it can be put on, and how it acts there. */
const homes: { method: MatrixMethod; model: MatrixModel; mechanism: string }[] = []
for (const method of methods)
  for (const model of [llama, ...architectures]) {
    const settings = { options: method.options, open: () => openCpu({ threads: 2 }) }
    const mechanism = await peftMechanism(method.method, model.subject, settings)
    if (mechanism === null) continue
    homes.push({ method, model, mechanism })
    break
  }

test('there are methods, each has a model, and every family has one', async () => {
  expect(homes.map(({ method }) => method)).toEqual(methods)
  expect(methods.length).toBeGreaterThan(0)
  const names = (await allDefinitions()).map(({ name }) => name)
  expect([...new Set(architectures.map(({ family }) => family))].sort()).toEqual(names.sort())
})

test.each(homes)('$method.name lives on $model.name: f32, bf16, nf4, int8', async ({ method, model }) => {
  const cells = await runCells(method, model)
  expect(faultsOf(cells)).toEqual([])
  expect(Object.keys(cells)).toHaveLength(4)
  expect(cells.f32).not.toMatchObject({ outcome: 'refused' })
})

const mechanisms = [...new Set(homes.map(({ mechanism }) => mechanism))].map((mechanism) => {
  const found = homes.filter((one) => one.mechanism === mechanism)
  return [mechanism, (found.find(({ model }) => model === llama) ?? found[0]!).method] as const
})

describe.each(mechanisms)('%s', (_, method) => {
  test.each(architectures)('lives on $name', async (model) => {
    expect(faultsOf({ f32: await runCell(method, model, 'f32') })).toEqual([])
  })
})
