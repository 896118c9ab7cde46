import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Ift } from '@ift/core'
import type { Serving } from '../serving.js'
import { servedAdapters } from './served-adapters.js'

let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'ift-served-'))
  for (const name of ['zh', 'cot', 'other'])
    mkdirSync(join(dir, 'runs', name, 'adapter'), { recursive: true })
  symlinkSync(join(dir, 'runs/zh'), join(dir, 'newest'))
})
afterAll(() => {
  rmSync(dir, { recursive: true })
})

const asked = (adapter: unknown, served: readonly string[], own: string | null = null) => {
  const ift = { rootDir: dir, config: { adapter } } as unknown as Ift
  const base = { id: 'base', adapter: null }
  const list = () => [base, ...served.map((id) => ({ id, adapter: id }))]
  const serving = { models: { base, list }, open: { adapterDir: own } } as unknown as Serving
  const servedAs = servedAdapters(ift, () => serving)
  return ['runs/zh/adapter', 'runs/cot/adapter', 'runs/other/adapter', 'runs/absent/adapter'].map((name) =>
    servedAs(join(dir, name)),
  )
}

test('adapters have their names, whichever way the config writes them, while they are loaded', () => {
  expect(asked({ chinese: 'newest/adapter', cot: 'runs/cot/adapter' }, ['chinese'])).toEqual([
    ...['chinese', null, null, null],
  ])
  expect(asked(['runs/zh/adapter', 'steps=./runs/cot/adapter'], ['zh', 'steps'])).toEqual([
    ...['zh', 'steps', null, null],
  ])
})

test('one that is there without a name is the base’s', () => {
  expect(asked('runs/cot/adapter', [], join(dir, 'runs/cot/adapter'))).toEqual([null, 'base', null, null])
})

test('none before the model is open', () => {
  const ift = { rootDir: dir, config: { adapter: 'runs/zh/adapter' } } as unknown as Ift
  expect(servedAdapters(ift, () => null)(join(dir, 'runs/zh/adapter'))).toBeNull()
})
