import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { arch, platform } from 'node:process'
import { fileURLToPath } from 'node:url'

import { IftError } from '@ift/tensor'

import type { Addon } from './addon.js'

/** The target in napi-rs's names, by `process.platform` and `process.arch`. */
const targets: Readonly<Record<string, string>> = {
  'linux-x64': 'linux-x64-gnu',
  'linux-arm64': 'linux-arm64-gnu',
  'darwin-x64': 'darwin-x64',
  'darwin-arm64': 'darwin-arm64',
  'win32-x64': 'win32-x64-msvc',
}

let loaded: Addon | undefined

/**
 * The native add-on: the one built in this package, else that of the platform package. Throws
 * `IFT_BACKEND_UNAVAILABLE` with what was looked for.
 */
export function addon(): Addon {
  loaded ??= load()
  return loaded
}

function load(): Addon {
  const here = `${platform}-${arch}`
  const target = targets[here]
  if (target === undefined) {
    throw new IftError(
      'IFT_BACKEND_UNAVAILABLE',
      `the CPU backend is not built for ${here}; it is for ${Object.keys(targets).join(', ')}`,
    )
  }
  const require = createRequire(import.meta.url)
  const local = fileURLToPath(new URL(`../kernels-cpu.${target}.node`, import.meta.url))
  const packaged = `@ift/kernels-cpu-${target}`
  try {
    return require(existsSync(local) ? local : packaged) as Addon
  } catch (cause) {
    const missing = cause instanceof Error && 'code' in cause && cause.code === 'MODULE_NOT_FOUND'
    throw new IftError(
      'IFT_BACKEND_UNAVAILABLE',
      missing
        ? `the native add-on of the CPU backend is missing: neither ${local} nor the package ${packaged} exists`
        : `the native add-on of the CPU backend cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`,
      `npm install ${packaged} (optional dependencies must not be left out), or in a checkout: ` +
        'pnpm --filter @ift/kernels-cpu run build:native',
      { cause },
    )
  }
}
