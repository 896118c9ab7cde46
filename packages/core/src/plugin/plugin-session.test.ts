import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { DatasetDefinition } from '../contract/index.js'
import { defineDataset, definePlugin } from './define.js'
import { createTrainerHooks } from './hooks.js'
import { readProvides } from './manifest.js'
import { candidates } from './names.js'
import { PluginSession } from './plugin-session.js'

const dataset = (name: string): DatasetDefinition => ({
  name,
  license: 'CC0-1.0',
  source: 'test',
  description: 'test',
  tags: { lang: ['EN'], task: ['MT'], gen: ['HG'] },
  async *load() {},
})

/** A folder with packages in node_modules. */
function project(packages: Record<string, { manifest?: object; code: string }>, own?: object): string {
  const dir = mkdtempSync(join(tmpdir(), 'ift-plugins-'))
  if (own) writeFileSync(join(dir, 'package.json'), JSON.stringify(own))
  for (const [name, { manifest, code }] of Object.entries(packages)) {
    const file = join(dir, 'node_modules', name, 'index.js')
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(
      join(dirname(file), 'package.json'),
      JSON.stringify({ name, type: 'module', exports: './index.js', ...manifest }),
    )
    writeFileSync(file, code)
  }
  return dir
}

const source = (name: string, api = 1) => `export const plugin = {
  name: 'dataset:${name}', api: ${api},
  apply({ hooks }) { hooks.dataset.for('${name}').tap('${name}', () => ({ name: '${name}' })) },
}\n`

/** Registers two datasets. */
const several = `export const plugin = {
  name: 'several', api: 1,
  apply({ hooks }) {
    for (const name of ['f', 'g']) hooks.dataset.for(name).tap(name, () => ({ name }))
  },
}\n`

describe('names', () => {
  test('candidates', () => {
    expect(candidates('model', 'bloom')).toEqual(['@ift/model-bloom', 'ift-plugin-model-bloom'])
    expect(candidates('model', '@acme/x')).toEqual(['@acme/ift-plugin-model-x', '@acme/x'])
    expect(candidates('plugin', 'wandb')).toEqual(['ift-plugin-wandb'])
    expect(candidates('backend', 'metal')).toEqual(['@ift/kernels-metal', 'ift-plugin-kernels-metal'])
    expect(candidates('optimizer', 'sgd')).toEqual(['@ift/optimizer-sgd', 'ift-plugin-optimizer-sgd'])
    expect(candidates('verb', 'serve')).toEqual([])
    expect(candidates('dataset', './mine.js')).toEqual(['./mine.js'])
  })

  test('a name resolves to a package beside the config', async () => {
    const dir = project({
      '@ift/dataset-a': { code: source('a') },
      'ift-plugin-dataset-b': { code: source('b'), manifest: { exports: { '.': { import: './index.js' } } } },
      '@acme/c': { code: source('c') },
    })
    const session = new PluginSession(dir)
    expect((await session.dataset('a')).name).toBe('a')
    expect((await session.dataset('b')).name).toBe('b')
    expect((await session.dataset('@acme/c')).name).toBe('c')
    expect(session.hooks.dataset.names()).toEqual(['a', 'b', 'c'])
  })

  test('a package is found by what it says of itself, and its own name stands for what it registers', async () => {
    const provides = { dataset: { f: {}, g: {} } }
    const dir = project(
      { '@acme/several': { code: several, manifest: { ift: { provides } } } },
      { dependencies: { '@acme/several': '*' } },
    )
    const session = new PluginSession(dir)
    expect(session.names('dataset')).toEqual(['f', 'g'])
    expect(session.provides('dataset', 'f')).toBe(true)
    expect(session.provides('dataset', 'h')).toBe(false)
    expect(session.plugins).toEqual([])
    expect((await session.dataset('f')).name).toBe('f')
    // Named by path it stands for what it registers last, whatever was registered since.
    session.use(defineDataset(dataset('later')))
    expect((await session.dataset('@acme/several')).name).toBe('g')
  })

  test('as a plugin of the config too', async () => {
    const dir = project(
      { several: { code: several, manifest: { ift: { provides: {} } } }, other: { code: several } },
      { dependencies: { several: '*', other: '*' } },
    )
    expect((await new PluginSession(dir).load('several')).name).toBe('several')
    await expect(new PluginSession(dir).load('other')).rejects.toMatchObject({ code: 'IFT_PLUGIN_NOT_FOUND' })
    await expect(new PluginSession(dir).load('severals')).rejects.toMatchObject({
      message: 'No plugin provides "severals".',
      hint: expect.stringMatching(/^Did you mean "several"\?/) as string,
    })
  })

  test('that was not built: its package.json names a file that is not there', async () => {
    const exports = { '.': { import: './dist/index.js' } }
    const ift = { provides: { dataset: { unbuilt: {} } } }
    const dir = project(
      { '@acme/unbuilt': { code: '', manifest: { exports: './none.js', main: './none.js', ift } } },
      { dependencies: { '@acme/unbuilt': '*' } },
    )
    await expect(new PluginSession(dir).dataset('unbuilt')).rejects.toMatchObject({
      code: 'IFT_PLUGIN_LOAD',
    })
    const other = project({ 'ift-plugin-dataset-u': { code: '', manifest: { exports } } })
    await expect(new PluginSession(other).dataset('u')).rejects.toMatchObject({ code: 'IFT_PLUGIN_LOAD' })
  })

  const known = [
    {
      package: '@ift/dataset-cot',
      description: '',
      provides: readProvides({ provides: { dataset: { cot: {} } } }, ''),
    },
    {
      package: '@ift/dataset-gsm8k',
      description: '',
      provides: readProvides({ provides: { dataset: { gsm8k: {}, 'gsm8k-raw': {} } } }, ''),
    },
  ]
  const hintOf = async (name: string, packages: Parameters<typeof project>[0] = {}) => {
    const session = new PluginSession(project(packages), [], () => known).use(defineDataset(dataset('mine')))
    const error = await session.dataset(name).catch((e: unknown) => e as { hint: string })
    expect(error).toMatchObject({
      code: 'IFT_PLUGIN_NOT_FOUND',
      message: `No dataset plugin provides "${name}".`,
    })
    return (error as { hint: string }).hint
  }

  test('one of this project that is absent: what to install', async () => {
    const hint = await hintOf('gsm8k-raw')
    expect(hint).toContain('npm install @ift/dataset-gsm8k')
    expect(hint).not.toContain('Did you mean')
    expect(hint).toContain(
      'Installed datasets: mine\nTo install: cot, gsm8k, gsm8k-raw (@ift/dataset-gsm8k)\n',
    )
  })

  test('a name that nobody has: the nearest of what is there and of what could be', async () => {
    expect(await hintOf('mime')).toMatch(/^Did you mean "mine"\?\nInstalled/)
    expect(await hintOf('gsmk8-raw')).toMatch(/^Did you mean "gsm8k-raw"\? npm install @ift\/dataset-gsm8k\n/)
    const hint = await hintOf('something-else')
    expect(hint).not.toContain('npm install')
    expect(hint).toContain('Looked for: @ift/dataset-something-else, ift-plugin-dataset-something-else\n')
  })

  test('a verb of ours that is absent: the package that brings it', () => {
    const provides = readProvides({ provides: { verb: { serve: { description: 'Serves.' } } } }, '')
    const session = new PluginSession(project({}), [], () => [
      { package: '@ift/serve', description: '', provides },
    ])
    expect(session.notFound('verb', 'serve', ['train'])).toMatchObject({
      message: 'There is no verb "serve".',
      hint: expect.stringMatching(
        /npm install @ift\/serve\n\nInstalled verbs: train\nTo install: serve \(@ift\/serve\)/,
      ) as string,
    })
  })

  test('a package of that name that provides something else, and one that is broken', async () => {
    const hint = await hintOf('c', {
      'ift-plugin-dataset-c': { code: source('d') },
      'ift-plugin-dataset-bad': { code: '', manifest: { ift: { provides: [] } } },
    })
    expect(hint).toContain('ift-plugin-dataset-c is installed and provides no dataset "c".')
    expect(hint).toMatch(/Passed over:\n.*ift-plugin-dataset-bad\/package\.json/)
  })

  test('a package without a plugin, of another contract, or that throws', async () => {
    const dir = project({
      '@ift/dataset-none': { code: 'export const x = 1' },
      '@ift/dataset-old': { code: source('old', 0) },
      '@ift/dataset-throws': { code: 'throw new TypeError("boom")' },
    })
    const session = new PluginSession(dir)
    await expect(session.dataset('none')).rejects.toMatchObject({ code: 'IFT_PLUGIN_INVALID' })
    await expect(session.dataset('old')).rejects.toMatchObject({ code: 'IFT_PLUGIN_API' })
    await expect(session.dataset('throws')).rejects.toMatchObject({ code: 'IFT_PLUGIN_LOAD' })
  })
})

describe('hooks', () => {
  test('an error in a tap names plugin and hook and keeps its cause', async () => {
    const hooks = createTrainerHooks()
    const boom = new RangeError('boom')
    hooks.done.tapPromise('bad', () => Promise.reject(boom))
    await expect(hooks.done.promise({} as never)).rejects.toMatchObject({
      code: 'IFT_PLUGIN_FAILED',
      message: 'Plugin "bad" failed in hook "done": boom',
      cause: boom,
    })
  })

  test("a user's definition comes before a built-in by stage", async () => {
    const session = new PluginSession(project({}))
    session.use(defineDataset(dataset('d')))
    const mine = { ...dataset('d'), license: 'mine' }
    session.use(
      definePlugin('mine', ({ hooks }) => {
        hooks.dataset.for('d').tap({ name: 'mine', stage: -1 }, () => mine)
      }),
    )
    expect((await session.dataset('d')).license).toBe('mine')
  })

  test('what core provides is listed, and any plugin of the name comes before it', () => {
    const { hooks } = new PluginSession('/')
    const [own, theirs] = [dataset('x'), dataset('x')]
    hooks.dataset.provide('x', own)
    expect([hooks.dataset.find('x'), hooks.dataset.names(), hooks.dataset.added]).toEqual([own, ['x'], []])
    hooks.dataset.for('x').tap('third', () => theirs)
    expect(hooks.dataset.find('x')).toBe(theirs)
    expect(hooks.dataset.names()).toEqual(['x'])
  })

  test('the same plugin twice is once; two of one name are refused', () => {
    let applied = 0
    const plugin = definePlugin('p', () => {
      applied++
    })
    const session = new PluginSession(project({})).use(plugin).use(plugin)
    expect(applied).toBe(1)
    expect(() => session.use(definePlugin('p', () => undefined))).toThrow('Two plugins are named "p"')
  })
})
