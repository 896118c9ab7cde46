import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import {
  builtinTemplates,
  check,
  loadConfigFile,
  parseHubId,
  PluginSession,
  resolveConfig,
  type IftPlugin,
} from '@ift/core'
import { Linear } from '@ift/tensor'

interface Group {
  readonly config: Readonly<Record<string, unknown>>
  readonly sizes: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const here = `${root}examples/families`
const files = readdirSync(here).filter((name) => name.endsWith('.yaml'))
const published = `${root}fixtures/published`

const pluginOf = async (folder: string) =>
  ((await import(`${root}packages/${folder}/src/index.ts`)) as { plugin: IftPlugin }).plugin

test('every family has a config', () => {
  const families = readdirSync(`${root}packages`).filter((name) => name.startsWith('model-'))
  expect(files.map((file) => `model-${file.slice(0, -'.yaml'.length)}`)).toEqual(families)
})

describe.each(files)('%s', (file) => {
  const family = file.slice(0, -'.yaml'.length)
  const session = async () =>
    new PluginSession(here)
      .use(await pluginOf(`model-${family}`))
      .use(await pluginOf('peft-lora'))
      .use(await pluginOf('datasets/alpaca'))
  const load = async () => {
    const { config } = await loadConfigFile(here, `${here}/${file}`)
    return resolveConfig(config, file)
  }

  test('opens with the command to run, and says what to install', () => {
    const [command, install] = readFileSync(`${here}/${file}`, 'utf8').split('\n')
    expect(command).toBe(`# npx ift train --config examples/families/${file}`)
    const packages = install!.replace(/^# npm install /, '').split(' ')
    expect(packages).toContain(`@ift/model-${family}`)
    for (const name of packages) {
      const folder = name === 'ift' ? 'cli' : name.replace('@ift/', '').replace('dataset-', 'datasets/')
      expect(existsSync(`${root}packages/${folder}/package.json`), name).toBe(true)
    }
  })

  test('is a config whose model, method, data and template are there', async () => {
    const config = await load()
    const plugins = await session()
    const definition = await plugins.model(config.model)
    const { method, ...options } = config.peft
    const peft = await plugins.peft(method)
    const { targetModules } = check(peft.options, options, file, 'peft') as { targetModules?: unknown }
    expect(await plugins.dataset(config.data as string)).toMatchObject({ name: config.data })
    expect(parseHubId(config.weights!)).not.toBeNull()
    const templates = [...builtinTemplates.map(({ name }) => name), ...plugins.hooks.template.names(), 'chat']
    expect(templates).toContain(config.template)

    // The targets are layers of the family, and the length is within the limit of its smallest size.
    const groups = JSON.parse(readFileSync(`${published}/${family}.json`, 'utf8')) as Group[]
    const { config: common, sizes } = groups.find((group) =>
      definition.architectures.includes((group.config['architectures'] as string[])[0]!),
    )!
    const parsed: unknown = definition.parseConfig({ ...common, ...Object.values(sizes)[0] })
    const modules = [...definition.build(parsed).namedModules()]
    if (Array.isArray(targetModules))
      for (const target of targetModules as string[]) {
        const named = modules.filter(([path]) => path.endsWith(`.${target}`))
        expect(named.length, target).toBeGreaterThan(0)
        for (const [, module] of named) expect(module).toBeInstanceOf(Linear)
      }
    expect(config.maxLength).toBeLessThanOrEqual(definition.shape(parsed).maxPositions ?? Infinity)
  })
})
