import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { installedPlugins, provides } from './discover.js'
import { candidates } from './resolve.js'

const dir = mkdtempSync(join(tmpdir(), 'ift-discover-'))
afterAll(() => {
  rmSync(dir, { recursive: true, force: true })
})

test.each(['@ift/model-llama', 'ift-plugin-model-gpt2', '@acme/ift-plugin-dataset-faq', 'ift-plugin-watch'])(
  '%s is found again under its name',
  (name) => {
    const what = provides(name)!
    expect(candidates(what.kind, what.name)).toContain(name)
  },
)

test('the nearest package of a name counts, and others are passed over', () => {
  const install = (folder: string, name: string, version: string) => {
    const target = join(folder, 'node_modules', name)
    mkdirSync(target, { recursive: true })
    writeFileSync(join(target, 'package.json'), JSON.stringify({ name, version }))
  }
  const inner = join(dir, 'a', 'b')
  install(dir, 'ift-plugin-model-gpt2', '1.0.0')
  install(dir, '@acme/ift-plugin-dataset-faq', '2.0.0')
  install(inner, 'ift-plugin-model-gpt2', '1.1.0')
  install(inner, '@ift/core', '0.1.0')
  install(inner, 'zod', '4.0.0')
  expect(installedPlugins([inner]).filter(({ package: name }) => !name.startsWith('@ift/'))).toEqual([
    { kind: 'dataset', name: '@acme/faq', package: '@acme/ift-plugin-dataset-faq', version: '2.0.0' },
    { kind: 'model', name: 'gpt2', package: 'ift-plugin-model-gpt2', version: '1.1.0' },
  ])
})
