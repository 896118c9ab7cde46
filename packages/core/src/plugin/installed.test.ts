import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { loadConfigFile } from '../config/load.js'
import { installedPackages, providedByName } from './installed.js'
import { namesOf } from './manifest.js'
import { candidates } from './names.js'
import { locate } from './resolve.js'

const dir = mkdtempSync(join(tmpdir(), 'ift-installed-'))
afterAll(() => {
  rmSync(dir, { recursive: true, force: true })
})

let folders = 0
/** A folder with packages in node_modules, each by its package.json. */
function project(packages: Record<string, object | string>, own?: object): string {
  const folder = join(dir, String(folders++))
  mkdirSync(folder)
  if (own) writeFileSync(join(folder, 'package.json'), JSON.stringify(own))
  for (const [name, json] of Object.entries(packages)) {
    const target = join(folder, 'node_modules', name)
    mkdirSync(target, { recursive: true })
    const text = typeof json === 'string' ? json : JSON.stringify({ name, version: '1.0.0', ...json })
    writeFileSync(join(target, 'package.json'), text)
  }
  return folder
}

/** The packages of a folder without those that this repository's own folders hold. */
const found = (folder: string) => installedPackages([folder])
const model = (name: string, architecture: string) => ({
  ift: { provides: { model: { [name]: { architectures: [architecture] } } } },
})

test.each(['@ift/model-llama', 'ift-plugin-model-gpt2', '@acme/ift-plugin-dataset-faq', '@ift/kernels-cuda'])(
  '%s is found again under its name',
  (name) => {
    const what = providedByName(name)!
    expect(candidates(what.kind, what.name)).toContain(name)
  },
)

describe('packages are found', () => {
  test('by their names, by the scope, or because the folder depends on them and they describe themselves', () => {
    const folder = project(
      {
        'ift-plugin-model-gpt2': {},
        '@acme/ift-plugin-model-x': model('x', 'XForCausalLM'),
        '@acme/neox': model('neox', 'GPTNeoXForCausalLM'),
        'plain-tools': { ift: { provides: { verb: { shout: { description: 'Shouts.' } } } } },
        'not-a-dependency': model('no', 'No'),
        '@ift/core': {},
        zod: {},
      },
      { dependencies: { '@acme/neox': '*', zod: '*' }, devDependencies: { 'plain-tools': '*' } },
    )
    expect(
      found(folder).map(({ package: name, provides, described }) => [
        name,
        namesOf(provides, 'model'),
        namesOf(provides, 'verb'),
        described,
      ]),
    ).toEqual([
      ['@acme/ift-plugin-model-x', ['x'], [], true],
      ['@acme/neox', ['neox'], [], true],
      ['ift-plugin-model-gpt2', ['gpt2'], [], false],
      ['plain-tools', [], ['shout'], true],
    ])
  })

  test('the nearest of each name, in all folders from here upwards', () => {
    const outer = project({
      'ift-plugin-model-gpt2': { version: '1.0.0' },
      '@acme/ift-plugin-dataset-faq': { version: '2.0.0' },
    })
    const inner = join(outer, 'a', 'b')
    const target = join(inner, 'node_modules/ift-plugin-model-gpt2')
    mkdirSync(target, { recursive: true })
    writeFileSync(join(target, 'package.json'), '{"version":"1.1.0"}')
    expect(found(inner).map(({ package: name, version }) => [name, version])).toEqual([
      ['@acme/ift-plugin-dataset-faq', '2.0.0'],
      ['ift-plugin-model-gpt2', '1.1.0'],
    ])
    expect(namesOf(found(inner)[0]!.provides, 'dataset')).toEqual(['@acme/faq'])
    const optimizer = project({ 'ift-plugin-optimizer-sophia': {} })
    expect(namesOf(found(optimizer)[0]!.provides, 'optimizer')).toEqual(['sophia'])
  })

  test('a dependency of a folder lies in the node_modules of a folder above it', () => {
    const outer = project({ '@acme/neox': model('neox', 'GPTNeoXForCausalLM') })
    const app = join(outer, 'apps/one')
    mkdirSync(app, { recursive: true })
    writeFileSync(join(app, 'package.json'), '{"dependencies":{"@acme/neox":"*"}}')
    expect(found(app).map((one) => one.package)).toEqual(['@acme/neox'])
  })
})

describe('a description that is wrong', () => {
  const long = 'x'.repeat(1001)
  test.each<[string, object | string, RegExp]>([
    [
      'another type',
      { ift: { provides: { model: { x: { architectures: 'X' } } } } },
      /package\.json.*\n  - ift\.provides\.model\.x\.architectures: .*found "X"/,
    ],
    [
      'an unknown noun',
      { ift: { provides: { modle: {} } } },
      /unknown option "ift\.provides\.modle": did you mean "ift\.provides\.model"\?/,
    ],
    [
      'a list of names too long',
      { ift: { provides: { verb: { v: { description: long } } } } },
      /ift\.provides\.verb\.v\.description/,
    ],
    ['null', { ift: { provides: null } }, /ift\.provides: /],
    ['no JSON', '{ "name": ', /package\.json/],
    [
      'more than a package.json has',
      JSON.stringify({ x: 'x'.repeat(2 ** 20) }),
      /package\.json: the package .*\n {2}- expected at most 1048576 bytes, found 10485\d\d/,
    ],
    ['a list', '[]', /\n {2}- expected a JSON object, found a list/],
    [
      'brackets within each other',
      `{"x":${'['.repeat(200)}${']'.repeat(200)}}`,
      /\n {2}- it is more than 128 levels deep/,
    ],
  ])('%s: names file and field, and stops no other package', (_, json, message) => {
    const folder = project({
      'ift-plugin-model-bad': json,
      'ift-plugin-model-good': model('good', 'GoodForCausalLM'),
    })
    const [bad, good] = found(folder)
    expect(bad!.problem).toMatchObject({ code: 'IFT_PLUGIN_MANIFEST' })
    expect(bad!.problem!.message).toMatch(message)
    expect(bad!.problem!.message).toContain(join(folder, 'node_modules/ift-plugin-model-bad/package.json'))
    expect(good).toMatchObject({ problem: null, described: true })
  })

  test('a dependency that is no package of ours and whose package.json is broken is nothing', () => {
    const folder = project({ left: '{' }, { dependencies: { left: '*' } })
    expect(found(folder)).toEqual([])
  })
})

/** Makes something else of a file. */
const others: Record<string, (path: string) => unknown> = {
  'a sparse file of 100 GB': (path) => {
    truncateSync(path, 100 * 2 ** 30)
  },
  'a folder': (path) => {
    rmSync(path)
    mkdirSync(path)
  },
  ...(process.platform !== 'win32' && {
    'a named pipe': (path) => {
      rmSync(path)
      execFileSync('mkfifo', [path])
    },
  }),
}

describe.each(Object.entries(others))('%s under the name of package.json', (_, exchange) => {
  const bad = 'ift-plugin-model-bad'
  test('of a plugin: a problem of that package', () => {
    const folder = project({ [bad]: {}, 'ift-plugin-model-good': model('good', 'GoodForCausalLM') })
    exchange(join(folder, 'node_modules', bad, 'package.json'))
    const [first, second] = found(folder)
    expect(first).toMatchObject({ package: bad, problem: { code: 'IFT_PLUGIN_MANIFEST' } })
    expect(first!.problem!.message).toMatch(/\n {2}- expected (at most 1048576 bytes|a file), found /)
    expect(second).toMatchObject({ package: 'ift-plugin-model-good', problem: null })
  })

  test('of another dependency, or of the folder itself: nothing', () => {
    const folder = project({ left: {} }, { dependencies: { left: '*' } })
    exchange(join(folder, 'node_modules/left/package.json'))
    expect(found(folder)).toEqual([])
    exchange(join(folder, 'package.json'))
    expect(found(folder)).toEqual([])
  })
})

test('a package that is located by its exports has a package.json that is read with the same bound', () => {
  const text = JSON.stringify({ exports: { import: './index.js' }, x: 'x'.repeat(2 ** 20) })
  const folder = project({ long: text, broken: '{', fits: { exports: { import: './index.js' } } })
  expect(locate('fits', folder)).toBe(join(folder, 'node_modules/fits/index.js'))
  for (const name of ['long', 'broken'])
    expect(() => locate(name, folder)).toThrow(
      expect.objectContaining({
        code: 'IFT_FILE_CORRUPT',
        message: expect.stringContaining(join(folder, 'node_modules', name, 'package.json')) as string,
      }) as Error,
    )
})

test('a package.json that describes a plugin is no config; one with options is', async () => {
  const outer = project({}, { ift: { weights: './m' } })
  const inner = join(outer, 'plugin')
  mkdirSync(inner)
  writeFileSync(join(inner, 'package.json'), JSON.stringify({ name: 'p', ...model('x', 'X') }))
  expect(await loadConfigFile(inner)).toEqual({
    config: { weights: './m' },
    path: join(outer, 'package.json'),
    rootDir: outer,
  })
})
