import { homedir } from 'node:os'
import { join } from 'node:path'
import { IftError } from '@ift/tensor'
import { mostTokenBytes } from '../files/bounds.js'
import { corrupt } from '../files/errors.js'
import { expandHome } from '../files/paths.js'
import { readRegularSync } from '../files/regular-file.js'

/** Address of the hub, token, and folder of its files. */
export interface HubSettings {
  /** Without a slash at the end. */
  readonly endpoint: string
  readonly token: string | null
  readonly cacheDir: string
  /** Nothing may be fetched. */
  readonly offline: boolean
}

/** Where ift keeps what it can make again: `ift` in the user's cache folder. */
export const cacheFolder = (
  env: Readonly<Record<string, string | undefined>> = process.env,
  home: string = homedir(),
): string => join(expandHome(env['XDG_CACHE_HOME'] ?? '', home) || join(home, '.cache'), 'ift')

const isSet = (value: string | undefined) => /^(1|on|yes|true)$/i.test(value ?? '')

/** Null where nobody has logged in. Throws IFT_FILE_CORRUPT for what holds no token: it would be sent to the hub. */
function tokenIn(file: string): string | null {
  let token: string
  try {
    token = readRegularSync(file, mostTokenBytes).toString('utf8').trim()
  } catch (error) {
    if (error instanceof IftError && error.code === 'IFT_FILE_CORRUPT') throw error
    return null
  }
  if (/[^\x21-\x7e]/.test(token))
    throw corrupt(file, 'expected one token without spaces', 'Log in again, or give the token in HF_TOKEN.')
  return token || null
}

/**
 * Settings of the hub from the environment, with the names and the precedence of Python's huggingface_hub. Throws IFT_FILE_CORRUPT for a file
 * of a token that holds something else.
 */
export function hubSettings(
  env: Readonly<Record<string, string | undefined>> = process.env,
  home: string = homedir(),
): HubSettings {
  const folder = (value: string | undefined) =>
    value &&
    expandHome(value, home).replace(
      /\$(?:\{(\w+)\}|(\w+))/g,
      (whole, braced?: string, plain?: string) => env[braced ?? plain!] ?? whole,
    )
  const hubHome =
    folder(env['HF_HOME']) || join(folder(env['XDG_CACHE_HOME']) || join(home, '.cache'), 'huggingface')
  const named = (env['HF_TOKEN'] || env['HUGGING_FACE_HUB_TOKEN'] || '').trim()
  return {
    endpoint: (env['HF_ENDPOINT'] || 'https://huggingface.co').replace(/\/+$/, ''),
    token:
      named ||
      (isSet(env['HF_HUB_DISABLE_IMPLICIT_TOKEN'])
        ? null
        : tokenIn(folder(env['HF_TOKEN_PATH']) || join(hubHome, 'token'))),
    cacheDir: folder(env['HF_HUB_CACHE']) || folder(env['HUGGINGFACE_HUB_CACHE']) || join(hubHome, 'hub'),
    offline: isSet(env['HF_HUB_OFFLINE']) || isSet(env['TRANSFORMERS_OFFLINE']),
  }
}
