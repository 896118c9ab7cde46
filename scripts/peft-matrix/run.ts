// npm run matrix: every method on every family and base, as peftTrial of @ift/core/testing runs it, against the sources. Pairs
// whose sources are as they were are kept, and each is written down when it is done: a run that was interrupted goes on.
// `npm run matrix -- -t 'lora on'` takes some of them. Writes bench/results/peft-matrix.json and the tables of docs/peft.md.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { root } from '../workspace.mjs'
import { faultsOf, runCells } from './cell.js'
import { peftPage } from './page.js'
import { isDone, recordedPairs, writeResults } from './results.js'
import { allMethods, allModels } from './subjects.js'

const methods = await allMethods()
const pairs = recordedPairs(methods, await allModels())

test.each(pairs.filter((pair) => !isDone(pair)))('$method.name on $model.name', async (pair) => {
  const { method, model, sources } = pair
  const cells = await runCells(method, model)
  pair.entry = { method: method.name, family: model.family, model: model.name, sources, cells }
  writeResults(pairs)
  expect(faultsOf(cells)).toEqual([])
})

test('every pair is recorded', () => {
  expect(pairs.filter(({ entry }) => entry === null)).toEqual([])
})

afterAll(() => {
  const page = join(root, 'docs/peft.md')
  writeResults(pairs)
  const entries = pairs.flatMap(({ entry }) => entry ?? [])
  writeFileSync(page, peftPage(readFileSync(page, 'utf8'), methods, entries))
})
