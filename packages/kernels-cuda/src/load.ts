import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { arch, platform } from 'node:process'
import { fileURLToPath } from 'node:url'

import { IftError } from '@ift/tensor'

/** The target in napi-rs's names, by `process.platform` and `process.arch`. */
const targets: Readonly<Record<string, string>> = {
  'linux-x64': 'linux-x64-gnu',
  'linux-arm64': 'linux-arm64-gnu',
}

const loaded = new Map<string, unknown>()

/** File of an add-on built in this checkout or package; undefined for other systems. */
export function addonFile(binary: string): string | undefined {
  const target = targets[`${platform}-${arch}`]
  return target && fileURLToPath(new URL(`../${binary}.${target}.node`, import.meta.url))
}

/**
 * The add-on of the name `binary`: the one built in this package, else that of the platform package if there is one.
 * Throws `IFT_BACKEND_UNAVAILABLE` with what was looked for and the line `build` to type in a checkout.
 */
export function load(binary: string, build: string, packaged: boolean): unknown {
  const known = loaded.get(binary)
  if (known !== undefined) return known
  const local = addonFile(binary)
  if (local === undefined) {
    throw new IftError(
      'IFT_BACKEND_UNAVAILABLE',
      `the CUDA backend is not built for ${platform}-${arch}; it is for ${Object.keys(targets).join(', ')}`,
    )
  }
  const name = `@ift/${binary}-${targets[`${platform}-${arch}`]!}`
  try {
    const addon: unknown = createRequire(import.meta.url)(packaged && !existsSync(local) ? name : local)
    loaded.set(binary, addon)
    return addon
  } catch (cause) {
    const missing = cause instanceof Error && 'code' in cause && cause.code === 'MODULE_NOT_FOUND'
    throw new IftError(
      'IFT_BACKEND_UNAVAILABLE',
      missing
        ? `the native add-on of the CUDA backend is missing: ${packaged ? `neither ${local} nor the package ${name} exists` : `${local} does not exist`}`
        : `the native add-on of the CUDA backend cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`,
      `${packaged ? `npm install ${name} (optional dependencies must not be left out), or in a checkout: ` : ''}${build}`,
      { cause },
    )
  }
}
