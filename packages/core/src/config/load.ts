import { existsSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Loader } from 'cosmiconfig'
import { IftError } from '@ift/tensor'
import { localPath } from '../files/paths.js'
import { decodeText } from '../files/text.js'
import { configLimits, invalidConfig } from './limits.js'

/** TypeScript without a compiler in the user's project. */
const typescript: Loader = async (path: string) => {
  const { createJiti } = await import('jiti')
  const loaded: { default?: unknown } = await createJiti(import.meta.url).import(path)
  return loaded.default ?? loaded
}

/** What cosmiconfig's own loader makes of a file; it is given the text without the byte order mark. */
const reading =
  (load: Loader): Loader =>
  async (path) => {
    const text = decodeText(await readFile(path))
    if (!path.endsWith('.json')) checkAliases(path, text)
    return load(path, text) as unknown
  }

/** Refuses YAML that says little and means much. */
function checkAliases(path: string, text: string): void {
  const aliases = text.match(/(?<=[\s,:[{-])\*[^\s,\]}*]+/g)?.length ?? 0
  if (aliases > configLimits.aliases)
    throw invalidConfig(path, `${aliases} references to anchors, expected at most ${configLimits.aliases}`)
}

/** Whether a field "ift" of package.json describes a plugin package; otherwise it is a config. */
export const describesPackage = (field: unknown): field is { readonly provides: unknown } =>
  typeof field === 'object' && field !== null && 'provides' in field

/** JSON; a package.json that describes a plugin is no config. */
const json =
  (load: Loader): Loader =>
  async (path, content) => {
    const loaded: unknown = await load(path, content)
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

/** Refuses a config that is no file or too long, before cosmiconfig reads it: it would wait for who writes into a pipe. */
function checkFile(path: string): void {
  const info = statSync(path)
  if (!info.isFile())
    throw new IftError('IFT_CONFIG_SYNTAX', `The config ${path} is neither a file nor a folder.`)
  if (!/\.[cm]?[jt]s$/.test(path) && info.size > configLimits.bytes)
    throw invalidConfig(path, `${info.size} bytes, expected at most ${configLimits.bytes}`)
}

/** `checkFile` of what a search from `start` upwards may read. */
function checkAbove(start: string): void {
  let found = false
  for (let dir = start, parent = ''; dir !== parent && !found; parent = dir, dir = dirname(dir))
    for (const name of searchPlaces) {
      const path = join(dir, name)
      // Folders and what cannot be looked at are passed over there, too.
      if (!existsSync(path) || statSync(path).isDirectory()) continue
      checkFile(path)
      // A package.json seldom holds a config.
      found ||= name !== 'package.json'
      if (found) break
    }
}

/** Bytes of standard input, of a config at most. */
async function standardInput(): Promise<Buffer> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of process.stdin as AsyncIterable<Buffer>) {
    bytes += part.length
    if (bytes > configLimits.bytes)
      throw invalidConfig(
        'The config on standard input',
        `more than ${configLimits.bytes} bytes, the most of a config`,
      )
    parts.push(part)
  }
  return Buffer.concat(parts)
}

/** The config on standard input, JSON or YAML: nothing is looked for, and paths are relative to `cwd`. */
async function readConfig(cwd: string): Promise<LoadedConfig> {
  const { defaultLoaders } = await import('cosmiconfig')
  const text = decodeText(await standardInput())
  const failed = (why: string, cause?: unknown) =>
    new IftError('IFT_CONFIG_SYNTAX', `The config on standard input cannot be read: ${why}`, undefined, {
      cause,
    })
  if (text.trim() === '') throw failed('it is empty.')
  checkAliases('The config on standard input', text)
  try {
    return { config: defaultLoaders['.yaml']('standard input', text), path: null, rootDir: cwd }
  } catch (cause) {
    throw failed(cause instanceof Error ? cause.message : String(cause), cause)
  }
}

export interface LoadedConfig {
  /** As written, nothing checked yet. */
  readonly config: unknown
  /** Null when there is no file. */
  readonly path: string | null
  /** Folder that names and relative paths are resolved from. */
  readonly rootDir: string
}

/**
 * Finds the config from `cwd` upwards, or loads the file (or the one in the folder) that `file` names; `-` is standard input.
 * Throws IFT_CONFIG_NOT_FOUND for a named file that is not there and IFT_CONFIG_SYNTAX for one that cannot be read.
 */
export async function loadConfigFile(cwd: string, file?: string): Promise<LoadedConfig> {
  if (file === '-') return readConfig(cwd)
  const { cosmiconfig, defaultLoaders } = await import('cosmiconfig')
  const explorer = cosmiconfig('ift', {
    searchPlaces,
    searchStrategy: 'global',
    loaders: {
      '.json': json(reading(defaultLoaders['.json'])),
      '.yaml': reading(defaultLoaders['.yaml']),
      '.yml': reading(defaultLoaders['.yml']),
      noExt: reading(defaultLoaders.noExt),
      '.ts': typescript,
      '.mts': typescript,
      '.cts': typescript,
    },
  })
  const named = file === undefined ? null : localPath(cwd, file)
  if (named !== null && !existsSync(named))
    throw new IftError(
      'IFT_CONFIG_NOT_FOUND',
      `There is no config file at ${named}.`,
      'Make one: npx ift init',
    )
  const isFolder = named === null || statSync(named).isDirectory()
  if (isFolder) checkAbove(named ?? cwd)
  else checkFile(named)
  try {
    const found = isFolder ? await explorer.search(named ?? cwd) : await explorer.load(named)
    if (!found || found.isEmpty) return { config: {}, path: null, rootDir: named ?? cwd }
    return { config: found.config, path: found.filepath, rootDir: dirname(found.filepath) }
  } catch (cause) {
    if (cause instanceof IftError) throw cause
    const path = (cause as { filepath?: string }).filepath ?? named ?? cwd
    throw new IftError(
      'IFT_CONFIG_SYNTAX',
      `The config ${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      undefined,
      { cause },
    )
  }
}
