import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { root } from '../workspace.mjs'

// A new set is three files by hand, and its fixtures: in a copy of the repository, fixtures/collection/tea becomes a package that is
// listed, and whose test passes, by the scripts alone.

const set = join(root, 'fixtures/collection/tea')
let copy: string

const linked = (...names: string[]) => {
  for (const name of names) {
    mkdirSync(dirname(join(copy, name)), { recursive: true })
    symlinkSync(join(root, name), join(copy, name))
  }
}
/** With the links between packages as they are, so that they lead to those of the copy. */
const copied = (...names: string[]) => {
  for (const name of names)
    cpSync(join(root, name), join(copy, name), { recursive: true, verbatimSymlinks: true })
}

/** Runs Node in the copy. */
function node(...words: string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, words, {
    cwd: copy,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  })
  expect(status, `${words.join(' ')}\n${stderr}${stdout}`).toBe(0)
  return stdout
}

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'ift-new-set-'))
  linked(
    'node_modules',
    'LICENSE',
    'tsconfig.json',
    'tsconfig.base.json',
    'pnpm-workspace.yaml',
    'examples',
    'bench',
  )
  linked('packages/tensor', 'packages/kernels-cpu', 'packages/core/src')
  copied(
    'package.json',
    'vitest.config.ts',
    'scripts/workspace.mjs',
    'scripts/vitest-order.mjs',
    'scripts/datasets.mjs',
    'scripts/catalogue.mjs',
  )
  for (const one of ['package.json', 'dist', 'node_modules'])
    copied(`packages/core/${one}`, `packages/cli/${one}`)
  copied('packages/cli/bin')
  cpSync(set, join(copy, 'packages/datasets/tea'), { recursive: true })
})
afterAll(() => {
  rmSync(copy, { recursive: true, force: true })
})

test('three files are written by hand', () => {
  const files = readdirSync(set, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(set.length + 1))
  expect(files.filter((name) => !name.startsWith('fixtures')).sort()).toEqual(
    ['card.json', 'src/index.test.ts', 'src/index.ts'].map((name) => join(name)),
  )
})

test('scripts write the rest, the command line lists the set, and its test passes', () => {
  node('scripts/datasets.mjs')
  node('scripts/catalogue.mjs')
  const folder = join(copy, 'packages/datasets/tea')
  expect(readdirSync(folder).sort()).toEqual(
    [
      'LICENSE',
      'README.md',
      'card.json',
      'fixtures',
      'package.json',
      'src',
      'tsconfig.json',
      'tsup.config.ts',
    ].sort(),
  )
  const { installable } = JSON.parse(node('packages/cli/bin/ift.js', 'data', 'list', 'gen:hg', '--json')) as {
    installable: { name: string; package: string; lang: string[] }[]
  }
  expect(installable).toMatchObject([{ name: 'tea', package: '@ift/dataset-tea' }])
  const said = node('node_modules/vitest/vitest.mjs', 'run', '--root', copy, 'packages/datasets/tea')
  expect(said).toMatch(/Tests +\d+ passed/)
}, 120_000)
