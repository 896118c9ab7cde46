import { existsSync } from 'node:fs'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { IftError } from '@ift/tensor'
import { openAdapter } from '../checkpoint/adapter.js'

/**
 * The base that an adapter's adapter_config.json names, as `weights` would: a folder, or a hub id with the revision that it was
 * trained on. A relative folder is one as seen from where the training ran, which is `rootDir` or a folder around the adapter.
 * `IFT_ADAPTER_CONFIG` where none is named.
 */
export async function baseOfAdapter(adapterDir: string, rootDir: string): Promise<string> {
  const { config, path } = await openAdapter(adapterDir)
  const { base_model_name_or_path: base, revision } = config
  if (typeof base !== 'string' || base === '')
    throw new IftError(
      'IFT_ADAPTER_CONFIG',
      `${path}: the adapter does not say which base model it was trained on (base_model_name_or_path).`,
      'Name the base: --weights DIR',
    )
  if (isAbsolute(base)) return base
  for (const folder of [rootDir, ...foldersAround(adapterDir)])
    if (existsSync(join(folder, base))) return resolve(folder, base)
  return typeof revision === 'string' && revision !== '' && !base.includes('@') ? `${base}@${revision}` : base
}

/** The error of a base that the config does not name, with who named it. */
export const baseNotFound = (error: unknown, adapterDir: string): unknown =>
  error instanceof IftError
    ? new IftError(
        error.code,
        `${error.message} It is the base that the adapter ${adapterDir} names.`,
        'Name the base: --weights DIR',
        { cause: error },
      )
    : error

function* foldersAround(dir: string): Iterable<string> {
  for (let here = dirname(dir); here !== dirname(here); here = dirname(here)) yield here
}
