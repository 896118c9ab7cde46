import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { PluginSession, type IftPlugin } from '@ift/core'
import { families, packageOf } from './families.js'
import { findDefinition, findGgufMapping } from './find-family.js'

const root = fileURLToPath(new URL('../../../..', import.meta.url))
const packages = readdirSync(join(root, 'packages')).filter((name) => name.startsWith('model-'))

const pluginOf = async (name: string): Promise<IftPlugin> =>
  ((await import(join(root, 'packages', name, 'src/index.ts'))) as { plugin: IftPlugin }).plugin

const dir = mkdtempSync(join(tmpdir(), 'ift-auto-'))
afterAll(() => {
  rmSync(dir, { recursive: true })
})

test('the table of families is what the packages register', async () => {
  expect(Object.keys(families).sort()).toEqual(packages.map((name) => name.slice('model-'.length)).sort())
  for (const name of packages) {
    const { hooks } = new PluginSession(dir).use(await pluginOf(name))
    const registered = hooks.model.names().flatMap((one) => {
      const { architectures, modelTypes, gguf } = hooks.model.find(one)!
      return [...architectures, ...modelTypes, ...(gguf?.architectures ?? [])]
    })
    expect(families[name.slice('model-'.length)]?.toSorted(), name).toEqual([...new Set(registered)].sort())
    for (const one of registered) expect(packageOf([one])).toBe(`@ift/${name}`)
  }
})

/** Sees the plugins that it uses only, wherever node looks for packages. */
class BareSession extends PluginSession {
  override installed(): boolean {
    return false
  }
}

describe('the family of a checkpoint', () => {
  const withFamilies = async (...names: string[]) => {
    const session = new BareSession(dir)
    for (const name of names) session.use(await pluginOf(`model-${name}`))
    return session
  }

  test.each([
    'llama-tiny',
    'qwen/qwen3',
    'bloom/tiny',
    'moss/codegen',
    'chatglm/glm',
    'chatglm/glm4',
    'internlm/internlm2',
  ])('in %s is found by its architecture, or by model_type alone', async (path) => {
    const session = await withFamilies('llama', 'qwen', 'bloom', 'moss', 'chatglm', 'internlm', 'baichuan')
    const { architectures, ...json } = JSON.parse(
      readFileSync(join(root, 'fixtures', path, 'config.json'), 'utf8'),
    ) as Record<string, unknown>
    const found = await findDefinition(session, 'auto', { ...json, architectures }, path)
    expect(found.architectures).toEqual(expect.arrayContaining(architectures as string[]))
    expect(await findDefinition(session, 'auto', json, path)).toBe(found)
  })

  test('that is not installed names what is, and what to install', async () => {
    const session = await withFamilies('llama')
    const json = { architectures: ['BloomForCausalLM'], model_type: 'bloom' }
    await expect(findDefinition(session, 'auto', json, '/models/bloom')).rejects.toMatchObject({
      code: 'IFT_MODEL_UNKNOWN',
      message:
        '/models/bloom/config.json: no installed model plugin knows architecture BloomForCausalLM, model_type "bloom".',
      hint: expect.stringMatching(
        /llama: LlamaForCausalLM, .*\nInstall its package: npm install @ift\/model-bloom$/,
      ) as string,
    })
  })

  test('that nobody has lists the packages there are', async () => {
    const json = { architectures: ['MambaForCausalLM'], model_type: 'mamba' }
    await expect(findDefinition(new BareSession(dir), 'auto', json, '/m')).rejects.toMatchObject({
      code: 'IFT_MODEL_UNKNOWN',
      hint: expect.stringMatching(/^No family is installed\.\nNo package .*@ift\/model-llama, /) as string,
    })
  })

  test('in a third party package that is installed is found', async () => {
    const here = join(dir, 'third')
    const folder = join(here, 'node_modules/ift-plugin-model-tiny')
    mkdirSync(folder, { recursive: true })
    writeFileSync(
      join(folder, 'package.json'),
      JSON.stringify({ name: 'ift-plugin-model-tiny', type: 'module', exports: './index.js' }),
    )
    writeFileSync(
      join(folder, 'index.js'),
      `export const plugin = {
        name: 'model:tiny', api: 1,
        apply({ hooks }) {
          hooks.model.for('tiny').tap('tiny', () => ({ name: 'tiny', architectures: ['TinyForCausalLM'], modelTypes: [] }))
        },
      }`,
    )
    const json = { architectures: ['TinyForCausalLM'] }
    expect(await findDefinition(new PluginSession(here), 'auto', json, here)).toMatchObject({ name: 'tiny' })
  })

  test('of a GGUF file is the one that reads its architecture', async () => {
    const session = await withFamilies('llama', 'qwen', 'bloom')
    const mapping = await findGgufMapping(session, 'auto', 'qwen3', 'm.gguf')
    expect(mapping.architectures).toContain('qwen3')
    expect(await findGgufMapping(session, 'qwen', 'qwen3', 'm.gguf')).toBe(mapping)
    await expect(findGgufMapping(session, 'bloom', 'qwen3', 'm.gguf')).rejects.toThrow(
      'm.gguf holds a "qwen3" model; family "bloom" reads no GGUF.',
    )
    await expect(findGgufMapping(session, 'auto', 'falcon', 'm.gguf')).rejects.toThrow(
      'm.gguf: no installed model plugin reads GGUF files of architecture "falcon" (found: llama, qwen2, qwen3).',
    )
  })
})
