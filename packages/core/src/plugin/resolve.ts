import { existsSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, isAbsolute, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { IftError } from '@ift/tensor'
import { localPath } from '../files/paths.js'
import { PLUGIN_API, type IftPlugin } from './define.js'
import { readPackageJson } from './manifest.js'

/** Whether a specifier is a path, not a package. */
export const isPath = (specifier: string): boolean => isAbsolute(specifier) || /^(\.|~[/\\])/.test(specifier)

/** File of a package or path as seen from a folder, or null when nothing is there. */
export function locate(specifier: string, rootDir: string): string | null {
  if (isPath(specifier)) {
    const path = localPath(rootDir, specifier)
    return existsSync(path) ? path : null
  }
  try {
    return createRequire(join(rootDir, 'ift.config.js')).resolve(specifier)
  } catch {
    return locateImportOnly(specifier, rootDir)
  }
}

/** A package whose `exports` name only the `import` condition is invisible to `require.resolve`. */
function locateImportOnly(specifier: string, rootDir: string): string | null {
  for (let dir = rootDir; ; dir = dirname(dir)) {
    const folder = join(dir, 'node_modules', specifier)
    const manifest = join(folder, 'package.json')
    if (existsSync(manifest)) {
      const target = importTarget(readPackageJson(manifest)['exports'])
      return target === null ? null : join(folder, target)
    }
    if (dirname(dir) === dir) return null
  }
}

function importTarget(exports: unknown): string | null {
  if (typeof exports === 'string') return exports
  if (typeof exports !== 'object' || exports === null) return null
  const conditions = exports as Record<string, unknown>
  for (const key of ['.', 'import', 'node', 'default'])
    if (key in conditions) return importTarget(conditions[key])
  return null
}

/** The installed package that a plugin was loaded from. */
export interface PluginOrigin {
  readonly package: string
  readonly version: string
  /** The file that exports it. */
  readonly file: string
}

const origins = new WeakMap<IftPlugin, PluginOrigin>()

/** Where a plugin was loaded from; null of one that is no package's. */
export const originOf = (plugin: IftPlugin): PluginOrigin | null => origins.get(plugin) ?? null

/** Notes the package that a plugin was loaded from. */
export function noteOrigin(plugin: IftPlugin, path: string): void {
  const file = realpathSync(path)
  for (let dir = dirname(file); dirname(dir) !== dir; dir = dirname(dir)) {
    const manifest = join(dir, 'package.json')
    if (!existsSync(manifest)) continue
    const { name, version } = readPackageJson(manifest)
    if (typeof name === 'string' && typeof version === 'string')
      origins.set(plugin, { package: name, version, file })
    return
  }
}

/** Loads the plugin in a file; `what` is how the config wrote it. */
export async function importPlugin(file: string, what: string): Promise<IftPlugin> {
  let loaded: unknown
  try {
    loaded = /\.[cm]?ts$/.test(file)
      ? await (await import('jiti')).createJiti(import.meta.url).import(file)
      : await import(pathToFileURL(file).href)
  } catch (cause) {
    throw new IftError(
      'IFT_PLUGIN_LOAD',
      `Plugin "${what}" could not be loaded from ${file}: ${cause instanceof Error ? cause.message : String(cause)}`,
      undefined,
      { cause },
    )
  }
  const plugin = (loaded as { plugin?: unknown }).plugin
  if (!isPlugin(plugin))
    throw new IftError(
      'IFT_PLUGIN_INVALID',
      `${file} does not export a plugin named "plugin" (found: ${Object.keys(loaded as object).join(', ') || 'nothing'}).`,
      `Export one:\n\n    export const plugin = definePlugin('${what}', (ift) => { … })`,
    )
  return plugin
}

const isPlugin = (value: unknown): value is IftPlugin =>
  typeof value === 'object' &&
  value !== null &&
  typeof (value as IftPlugin).name === 'string' &&
  typeof (value as IftPlugin).api === 'number' &&
  typeof (value as IftPlugin).apply === 'function'

/** Refuses what is not a plugin, or one written for another contract. */
export function checkPlugin(plugin: unknown): asserts plugin is IftPlugin {
  if (!isPlugin(plugin))
    throw new IftError(
      'IFT_PLUGIN_INVALID',
      `Expected a plugin { name, api, apply }, found ${plugin === null ? 'null' : typeof plugin}${
        typeof plugin === 'object' && plugin ? ` with ${Object.keys(plugin).join(', ')}` : ''
      }.`,
      `Make one with definePlugin, defineModel, definePeft, defineDataset, … from @ift/core.`,
    )
  if (plugin.api !== PLUGIN_API)
    throw new IftError(
      'IFT_PLUGIN_API',
      `Plugin "${plugin.name}" was built for plugin API ${plugin.api}, but this @ift/core speaks API ${PLUGIN_API}.`,
      plugin.api < PLUGIN_API
        ? `Update the plugin: pnpm up ${plugin.name}`
        : 'Update the core: pnpm up @ift/core',
    )
}
