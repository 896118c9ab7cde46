import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { root } from '../workspace.mjs'
import { faultsOf } from './cell.js'
import { matrixTable, peftPage } from './page.js'
import { recordedPairs } from './results.js'
import { closureOf, codeOf } from './sources.js'
import { allMethods, allModels } from './subjects.js'

const methods = await allMethods()
const pairs = recordedPairs(methods, await allModels())

test('bench/results/peft-matrix.json is of these sources, and no cell fails (npm run matrix)', () => {
  const stale = pairs.filter(({ entry }) => entry === null)
  expect(stale.map(({ method, model }) => `${method.name} on ${model.name}`)).toEqual([])
  expect(pairs.flatMap(({ entry }) => faultsOf(entry!.cells))).toEqual([])
})

test('docs/peft.md shows the matrix and the options of every method (npm run matrix)', () => {
  const page = readFileSync(`${root}docs/peft.md`, 'utf8')
  const entries = pairs.flatMap(({ entry }) => entry ?? [])
  expect(page).toBe(peftPage(page, methods, entries))
})

test('what does not run does not make a cell stale', () => {
  const code = 'export const scale = (x: number, by: number): number => x * by'
  const written = codeOf(code)
  expect(codeOf(`/** Doc. */\n${code} // as it is`)).toBe(written)
  expect(codeOf(code.replaceAll(': number', ': bigint'))).toBe(written)
  expect(codeOf(code.replace('(x', '(\n  x'))).toBe(written)
  expect(codeOf(code.replace('x * by', 'by * x + 1'))).not.toBe(written)
})

test('what a file imports makes a cell stale, types aside; a file that is not there is an error', () => {
  const files = closureOf(['packages/core/src/testing/peft-trial.ts'])
  for (const path of [
    'packages/core/src/testing/peft-trial.ts',
    // Over two files between.
    'packages/core/src/checkpoint/safetensors.ts',
    'packages/core/src/train/count-memory.ts',
    'packages/core/src/train/penalty.ts',
  ])
    expect(files).toContain(path)
  expect(files).not.toContain('packages/core/src/contract/peft.ts')
  expect(() => closureOf(['packages/core/src/testing/peft-trail.ts'])).toThrow(/ENOENT.*peft-trail\.ts/)
})

test('a cell shows its outcome, bases apart where they differ, and the reason below', () => {
  const merged = { outcome: 'merged' } as const
  const refused = { outcome: 'refused', why: '"layers.0.q_proj" is held in nf4.' } as const
  const alike = { f32: merged, bf16: merged, nf4: merged, int8: merged }
  const entry = { method: 'a', sources: '' }
  const table = matrixTable([
    { ...entry, family: 'x', model: 'x/1', cells: alike },
    { ...entry, family: 'y', model: 'y/1', cells: { ...alike, nf4: refused } },
    { ...entry, family: 'y', model: 'y/2', cells: { ...alike, nf4: refused, int8: refused } },
  ])
  expect(table).toContain('| `a` | ✓ | ✓ ✓ – –✓ |')
  expect(table).toContain('* `a` – "…" is held in nf4. (y)')
  expect(table).toContain('Cells: 12. Methods: 1. Tiny models: 3, of 2 families.')
})
