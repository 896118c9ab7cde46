import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { DatasetDefinition } from '../contract/index.js'
import { defineDataset, definePlugin } from './define.js'
import { createTrainerHooks } from './hooks.js'
import { candidates } from './resolve.js'
import { PluginSession } from './session.js'

const dataset = (name: string): DatasetDefinition => ({
  name,
  license: 'CC0-1.0',
  source: 'test',
  description: 'test',
  tags: { lang: ['EN'], task: ['MT'], gen: ['HG'] },
  async *load() {},
})

/** A folder with packages in node_modules. */
function project(packages: Record<string, { manifest?: object; code: string }>): string {
  const dir = mkdtempSync(join(tmpdir(), 'ift-plugins-'))
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

describe('names', () => {
  test('candidates', () => {
    expect(candidates('model', 'bloom')).toEqual(['@ift/model-bloom', 'ift-plugin-model-bloom'])
    expect(candidates('model', '@acme/x')).toEqual(['@acme/ift-plugin-model-x', '@acme/x'])
    expect(candidates('plugin', 'wandb')).toEqual(['ift-plugin-wandb'])
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

  test('an absent package: what to install, where it was looked for, what there is', async () => {
    const session = new PluginSession(project({})).use(defineDataset(dataset('here')))
    const error = await session.dataset('there').catch((e: unknown) => e as { hint: string })
    expect(error).toMatchObject({ code: 'IFT_PLUGIN_NOT_FOUND' })
    expect((error as { hint: string }).hint).toContain('npm install @ift/dataset-there')
    expect((error as { hint: string }).hint).toContain('Available dataset names: here')
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
