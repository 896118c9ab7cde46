import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { resolveConfig } from '@ift/core'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { trainingData } from './training-data.js'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ift-training-data-'))
  mkdirSync(join(folder, 'run/adapter'), { recursive: true })
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

const of = (config: object, named?: string) =>
  trainingData({ rootDir: folder, config: resolveConfig(config, 'test') }, named, folder)

test('training data are those that are named, of the config, or of the run of the adapter', async () => {
  const adapter = './run/adapter'
  const manifest = join(folder, 'run/manifest.json')
  writeFileSync(
    manifest,
    JSON.stringify({ config: { data: ['./rows.jsonl', { path: './more.jsonl', limit: 3 }] } }),
  )
  expect(await of({ adapter, data: 'own.jsonl' }, 'a.jsonl,b.jsonl')).toEqual({
    entries: [join(folder, 'a.jsonl'), join(folder, 'b.jsonl')],
    manifest: null,
  })
  expect(await of({ adapter, data: ['own.jsonl'] })).toEqual({ entries: ['own.jsonl'], manifest: null })
  const found = await of({ adapter })
  expect(found).toMatchObject({ manifest })
  expect(found!.entries).toMatchObject(['./rows.jsonl', { path: './more.jsonl', limit: 3 }])
  expect(await of({})).toBeNull()
})

test('an adapter without a manifest, or with one of another kind, says nothing of its data', async () => {
  const adapter = './run/adapter'
  expect(await of({ adapter })).toBeNull()
  for (const text of ['{"config": {"data": {"nonsense": 1}}}', '[]', '{', '{}', '{"config": {"data": []}}']) {
    writeFileSync(join(folder, 'run/manifest.json'), text)
    expect(await of({ adapter }), text).toBeNull()
  }
})
