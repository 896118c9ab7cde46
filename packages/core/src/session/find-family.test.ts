import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { catalogue, PluginSession, type IftPlugin } from '@ift/core'
import { findDefinition, findGgufMapping } from './find-family.js'

const root = fileURLToPath(new URL('../../../..', import.meta.url))
const pluginOf = async (name: string): Promise<IftPlugin> =>
  ((await import(join(root, 'packages', name, 'src/index.ts'))) as { plugin: IftPlugin }).plugin

const dir = mkdtempSync(join(tmpdir(), 'ift-auto-'))
afterAll(() => {
  rmSync(dir, { recursive: true })
})

/** Sees the plugins that it uses only, wherever node looks for packages. */
class BareSession extends PluginSession {
  override packages(): [] {
    return []
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

  const families = catalogue().flatMap(({ package: name, provides }) =>
    Object.entries(provides.model).map(([family, facts]) => ({ package: name, family, ...facts })),
  )
  test.each(families)('$family of ours that is absent: npm install $package', async (family) => {
    const install = { hint: expect.stringContaining(`npm install ${family.package}`) as string }
    const { architectures, modelTypes, gguf } = family
    for (const name of architectures)
      await expect(
        findDefinition(new BareSession(dir), 'auto', { architectures: [name] }, '/m'),
      ).rejects.toMatchObject(install)
    for (const model_type of modelTypes)
      await expect(findDefinition(new BareSession(dir), 'auto', { model_type }, '/m')).rejects.toMatchObject(
        install,
      )
    for (const name of gguf)
      await expect(findGgufMapping(new BareSession(dir), 'auto', name, 'm.gguf')).rejects.toMatchObject(
        install,
      )
    expect(new BareSession(dir).notFound('model', family.family, [])).toMatchObject({
      code: 'IFT_PLUGIN_NOT_FOUND',
      ...install,
    })
  })

  test('that nobody has lists the packages there are', async () => {
    const json = { architectures: ['MambaForCausalLM'], model_type: 'mamba' }
    await expect(findDefinition(new BareSession(dir), 'auto', json, '/m')).rejects.toMatchObject({
      code: 'IFT_MODEL_UNKNOWN',
      hint: expect.stringMatching(/^No family is installed\.\nNo package .*@ift\/model-llama, /) as string,
    })
  })

  /** A family as a package that is built: its plugin knows one architecture. */
  const code = (name: string, architecture: string, api = 1) => `export const plugin = {
    name: 'model:${name}', api: ${api},
    apply({ hooks }) {
      hooks.model.for('${name}').tap('${name}', () => ({ name: '${name}', architectures: ['${architecture}'], modelTypes: [] }))
    },
  }`
  const install = (here: string, name: string, code: string, ift?: object) => {
    const folder = join(here, 'node_modules', name)
    mkdirSync(folder, { recursive: true })
    writeFileSync(
      join(folder, 'package.json'),
      JSON.stringify({ name, type: 'module', exports: './index.js', ...(ift && { ift }) }),
    )
    writeFileSync(join(folder, 'index.js'), code)
  }
  const says = (name: string, architecture: string) => ({
    provides: { model: { [name]: { architectures: [architecture] } } },
  })

  test('in a third party package that is installed is found, whatever the package is called', async () => {
    const here = join(dir, 'third')
    install(here, '@acme/neox', code('neox', 'GPTNeoXForCausalLM'), says('neox', 'GPTNeoXForCausalLM'))
    install(here, 'ift-plugin-model-tiny', code('tiny', 'TinyForCausalLM'))
    writeFileSync(join(here, 'package.json'), '{"dependencies":{"@acme/neox":"*"}}')
    const find = (architecture: string) =>
      findDefinition(new PluginSession(here), 'auto', { architectures: [architecture] }, here)
    expect(await find('GPTNeoXForCausalLM')).toMatchObject({ name: 'neox' })
    // One that does not describe itself is loaded to see.
    expect(await find('TinyForCausalLM')).toMatchObject({ name: 'tiny' })
  })

  test('is found beside packages that are broken, which nobody named', async () => {
    const here = join(dir, 'broken')
    install(here, 'ift-plugin-model-a-throws', 'throw new TypeError("boom")')
    install(here, 'ift-plugin-model-b-old', code('b-old', 'Old', 0))
    install(here, 'ift-plugin-model-c-manifest', code('c', 'C'), { provides: { model: 'c' } })
    // It says that it knows the architecture, and cannot be loaded.
    install(here, 'ift-plugin-model-d-liar', 'throw new TypeError("lost")', says('liar', 'FineForCausalLM'))
    install(here, 'ift-plugin-model-fine', code('fine', 'FineForCausalLM'), says('fine', 'FineForCausalLM'))
    const session = new PluginSession(here)
    const json = { architectures: ['FineForCausalLM'] }
    expect(await findDefinition(session, 'auto', json, here)).toMatchObject({ name: 'fine' })
    expect(session.plugins).toEqual(['model:fine'])
    const none = findDefinition(session, 'auto', { architectures: ['NoneForCausalLM'] }, here)
    await expect(none).rejects.toMatchObject({
      code: 'IFT_MODEL_UNKNOWN',
      hint: expect.stringMatching(
        /Passed over:\n.*a-throws.*boom\n.*API 0.*\n.*c-manifest\/package\.json.*\n  - ift\.provides\.model: /,
      ) as string,
    })
    // The only one that says it reads a checkpoint is the one that is needed.
    install(here, 'ift-plugin-model-e-only', 'throw new TypeError("stale")', says('only', 'OnlyForCausalLM'))
    await expect(
      findDefinition(new PluginSession(here), 'auto', { architectures: ['OnlyForCausalLM'] }, here),
    ).rejects.toMatchObject({
      code: 'IFT_PLUGIN_LOAD',
      message: expect.stringMatching(/e-only.*stale/) as string,
    })
    // Whoever names one hears what is wrong with it.
    await expect(session.model('a-throws')).rejects.toMatchObject({ code: 'IFT_PLUGIN_LOAD' })
    await expect(session.model('b-old')).rejects.toMatchObject({ code: 'IFT_PLUGIN_API' })
  })

  test('of a GGUF file is the one that reads its architecture', async () => {
    const session = await withFamilies('llama', 'qwen', 'bloom')
    const mapping = await findGgufMapping(session, 'auto', 'qwen3', 'm.gguf')
    expect(mapping.architectures).toContain('qwen3')
    expect(await findGgufMapping(session, 'qwen', 'qwen3', 'm.gguf')).toBe(mapping)
    await expect(findGgufMapping(session, 'bloom', 'qwen3', 'm.gguf')).rejects.toThrow(
      'm.gguf holds a "qwen3" model; family "bloom" reads bloom.',
    )
    await expect(findGgufMapping(session, 'auto', 'falcon', 'm.gguf')).rejects.toThrow(
      'm.gguf: no installed model plugin reads GGUF files of architecture "falcon" (there are readers of: bloom, llama, qwen2, qwen3).',
    )
  })
})
