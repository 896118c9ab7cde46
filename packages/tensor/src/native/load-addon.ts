import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { arch, platform } from 'node:process'
import { fileURLToPath } from 'node:url'
import { IftError } from '../errors.js'

/** Targets in napi-rs's names, by `process.platform` and `process.arch`. */
const targets: Readonly<Record<string, string>> = {
  'linux-x64': 'linux-x64-gnu',
  'linux-arm64': 'linux-arm64-gnu',
  'darwin-x64': 'darwin-x64',
  'darwin-arm64': 'darwin-arm64',
  'win32-x64': 'win32-x64-msvc',
}

const here = `${platform}-${arch}`

/** A system without a package of its own, as napi-rs names what is built there from the sources. */
const targetElsewhere = () => {
  const ends: Partial<Record<NodeJS.Platform, string>> = { linux: '-gnu', win32: '-msvc' }
  return here + (ends[platform] ?? '')
}

/** A native add-on, and where it may lie. */
export interface AddonPlace {
  /** In messages: "the CPU backend". */
  readonly what: string
  /** Code of the error when it cannot be loaded. */
  readonly code: `IFT_${string}`
  /** `import.meta.url` of a module in a folder of the package: `src` or `dist`. */
  readonly from: string
  /** Name of the file without target. */
  readonly binary: string
  /** Systems that it can be built for; any when omitted. */
  readonly systems?: readonly string[]
  /** Whether packages `@ift/<binary>-<target>` hold it, so that nothing is compiled where it is installed; yes when omitted. */
  readonly packaged?: boolean
  /** Line to type in a checkout. */
  readonly build: string
}

const loaded = new Map<string, unknown>()

/** File of an add-on that was built in its package; undefined for a system that it is not for. */
export function addonFile({ from, binary, systems }: AddonPlace): string | undefined {
  const target = !systems || systems.includes(here) ? (targets[here] ?? targetElsewhere()) : undefined
  return target && fileURLToPath(new URL(`../${binary}.${target}.node`, from))
}

/**
 * An add-on, once: the one built in its package, else that of the platform's package. Throws an error of the code given, with what was
 * looked for.
 */
export function loadAddon(place: AddonPlace): unknown {
  const { what, code, from, binary, systems = Object.keys(targets), packaged = true, build } = place
  const local = addonFile(place)
  if (local === undefined || !(here in targets || existsSync(local)))
    throw new IftError(
      code,
      `${what} is not built for ${here}; it is for ${systems.join(', ')}`,
      local === undefined ? undefined : `From the sources, in a checkout on this machine: ${build}`,
    )
  if (loaded.has(local)) return loaded.get(local)
  const name = `@ift/${binary}-${targets[here]!}`
  try {
    const addon: unknown = createRequire(from)(packaged && !existsSync(local) ? name : local)
    loaded.set(local, addon)
    return addon
  } catch (cause) {
    const isMissing = cause instanceof Error && 'code' in cause && cause.code === 'MODULE_NOT_FOUND'
    const problem = isMissing
      ? `is missing: ${packaged ? `neither ${local} nor the package ${name} exists` : `${local} does not exist`}`
      : `cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`
    const install = `npm install ${name} (optional dependencies must not be left out), or in a checkout: `
    throw new IftError(
      code,
      `the native add-on of ${what} ${problem}`,
      `${packaged ? install : ''}${build}`,
      {
        cause,
      },
    )
  }
}
