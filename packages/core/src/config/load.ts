import { existsSync, statSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import type { Loader, LoaderSync } from 'cosmiconfig'
import { IftError } from '@ift/tensor'

/** TypeScript without a compiler in the user's project. */
const typescript: Loader = async (path: string) => {
  const { createJiti } = await import('jiti')
  const loaded: { default?: unknown } = await createJiti(import.meta.url).import(path)
  return loaded.default ?? loaded
}

/** Whether a field "ift" of package.json describes a plugin package; otherwise it is a config. */
export const describesPackage = (field: unknown): field is { readonly provides: unknown } =>
  typeof field === 'object' && field !== null && 'provides' in field

/** JSON; a package.json that describes a plugin is no config. */
const json =
  (defaultLoader: LoaderSync): Loader =>
  (path, content) => {
    const loaded: unknown = defaultLoader(path, content)
    if (basename(path) !== 'package.json') return loaded
    const { ift } = Object(loaded) as { readonly ift?: unknown }
    return describesPackage(ift) ? {} : loaded
  }

const searchPlaces = [
  'ift.config.ts',
  'ift.config.mts',
  'ift.config.js',
  'ift.config.mjs',
  'ift.config.cjs',
  'ift.config.json',
  'ift.config.yaml',
  'ift.config.yml',
  '.iftrc',
  '.iftrc.json',
  '.iftrc.yaml',
  '.iftrc.yml',
  'package.json',
]

export interface LoadedConfig {
  /** As written, nothing checked yet. */
  readonly config: unknown
  /** Null when there is no file. */
  readonly path: string | null
  /** Folder that names and relative paths are resolved from. */
  readonly rootDir: string
}

/**
 * Finds the config from `cwd` upwards, or loads the file (or the one in the folder) that `file` names.
 * Throws IFT_CONFIG_NOT_FOUND for a named file that is not there and IFT_CONFIG_SYNTAX for one that cannot be read.
 */
export async function loadConfigFile(cwd: string, file?: string): Promise<LoadedConfig> {
  const { cosmiconfig, defaultLoaders } = await import('cosmiconfig')
  const explorer = cosmiconfig('ift', {
    searchPlaces,
    searchStrategy: 'global',
    loaders: {
      '.json': json(defaultLoaders['.json']),
      '.ts': typescript,
      '.mts': typescript,
      '.cts': typescript,
    },
  })
  const named = file === undefined ? null : resolve(cwd, file)
  if (named !== null && !existsSync(named))
    throw new IftError(
      'IFT_CONFIG_NOT_FOUND',
      `There is no config file at ${named}.`,
      'Make one: npx ift init',
    )
  try {
    const found =
      named === null || statSync(named).isDirectory()
        ? await explorer.search(named ?? cwd)
        : await explorer.load(named)
    if (!found || found.isEmpty) return { config: {}, path: null, rootDir: named ?? cwd }
    return { config: found.config, path: found.filepath, rootDir: dirname(found.filepath) }
  } catch (cause) {
    const path = (cause as { filepath?: string }).filepath ?? named ?? cwd
    throw new IftError(
      'IFT_CONFIG_SYNTAX',
      `The config ${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      undefined,
      { cause },
    )
  }
}
