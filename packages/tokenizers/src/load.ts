import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { arch, platform } from 'node:process'
import { fileURLToPath } from 'node:url'
import { IftError } from '@ift/core'
import type { Addon } from './addon.js'
import { messageOf } from './errors.js'

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
 * The native add-on: the one built in this package, else that of the platform package. Throws IFT_TOKENIZER_UNAVAILABLE
 * with what was looked for.
 */
export function addon(): Addon {
  loaded ??= load()
  return loaded
}

function load(): Addon {
  const here = `${platform}-${arch}`
  const target = targets[here]
  if (target === undefined)
    throw new IftError(
      'IFT_TOKENIZER_UNAVAILABLE',
      `The tokenizers are not built for ${here}; they are for ${Object.keys(targets).join(', ')}.`,
    )
  const require = createRequire(import.meta.url)
  const local = fileURLToPath(new URL(`../tokenizers.${target}.node`, import.meta.url))
  const packaged = `@ift/tokenizers-${target}`
  try {
    return require(existsSync(local) ? local : packaged) as Addon
  } catch (cause) {
    const missing = cause instanceof Error && 'code' in cause && cause.code === 'MODULE_NOT_FOUND'
    throw new IftError(
      'IFT_TOKENIZER_UNAVAILABLE',
      missing
        ? `The native add-on of the tokenizers is missing: neither ${local} nor the package ${packaged} exists.`
        : `The native add-on of the tokenizers cannot be loaded: ${messageOf(cause)}`,
      `npm install ${packaged} (optional dependencies must not be left out), or in a checkout: ` +
        'pnpm --filter @ift/tokenizers run build:native',
      { cause },
    )
  }
}
