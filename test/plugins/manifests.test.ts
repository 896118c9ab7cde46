import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { catalogue, namesOf, nouns, type IftPlugin } from '@ift/core'
import { manifestConformance } from '@ift/core/testing'
import { root, workspacePackages } from '../../scripts/workspace.mjs'

const described = workspacePackages().filter(({ json }) => json['ift'] !== undefined)

describe.each(described)('$name', ({ folder }) => {
  const load = async () =>
    ((await import(join(root, folder, 'src/index.ts'))) as { plugin: IftPlugin }).plugin
  // The cases are the same for every plugin; the plugin itself is loaded by the one that runs.
  const names = manifestConformance({ name: '', api: 0, apply: () => undefined }, join(root, folder))
  test.each(names.map(({ name }, i) => [name, i] as const))('%s', async (_, i) => {
    await manifestConformance(await load(), join(root, folder))[i]!.run()
  })
})

test('every package that exports a plugin describes itself', async () => {
  for (const { folder, name, json } of workspacePackages()) {
    if (json['ift'] !== undefined || folder.startsWith('examples/')) continue
    // The page is files alone.
    if (!Object.hasOwn((json['exports'] ?? {}) as object, '.')) continue
    const exported = (await import(join(root, folder, 'src/index.ts'))) as object
    expect(Object.keys(exported), name).not.toContain('plugin')
  }
})

test('the catalogue is what the published packages say', () => {
  const published = described.filter(({ isPublished }) => isPublished).map(({ name }) => name)
  expect(catalogue().map((one) => one.package)).toEqual(published.sort())
  for (const noun of nouns) {
    const names = catalogue().flatMap(({ provides }) => namesOf(provides, noun))
    // No name stands for two packages.
    expect(names.toSorted(), noun).toEqual([...new Set(names)].sort())
  }
})
