import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { IftError } from '../errors.js'
import { platformName, platformOfTarget, thisMachine, type Machine } from './platform.js'

/**
 * A native add-on. The package.json beside it says the rest: `name` and `version`, which are also those of the packages that hold the
 * built files (`<name>-<platform>`), `napi.binaryName` and `napi.targets`.
 */
export interface AddonPlace {
  /** In messages: "the CPU backend". */
  readonly what: string
  /** Code of the error when it cannot be loaded. */
  readonly code: `IFT_${string}`
  /** `import.meta.url` of a module in a folder of the package: `src` or `dist`. */
  readonly from: string
  /** Systems that it can be built for, as `platform-arch`; any when omitted. */
  readonly systems?: readonly string[]
  /** Another build than the published one: the name of its file without platform, and the script that makes it. */
  readonly local?: { readonly binary: string; readonly script: string }
}

interface Package {
  readonly name: string
  readonly version: string
  readonly napi: { readonly binaryName: string; readonly targets: readonly string[] }
}

const packageOf = (from: string) =>
  JSON.parse(readFileSync(new URL('../package.json', from), 'utf8')) as Package

let machine: Machine | undefined
const here = () => (machine ??= thisMachine())

const fits = ({ systems }: AddonPlace, { platform, arch }: Machine) =>
  !systems || systems.includes(`${platform}-${arch}`)

/** File of an add-on that was built in its package; undefined for a system that it is not for. */
export function addonFile(place: AddonPlace, machine = here()): string | undefined {
  if (!fits(place, machine)) return undefined
  const binary = place.local?.binary ?? packageOf(place.from).napi.binaryName
  return fileURLToPath(new URL(`../${binary}.${platformName(machine)}.node`, place.from))
}

const messageOf = (cause: unknown) => (cause instanceof Error ? cause.message : String(cause))

const loaded = new Map<string, unknown>()

/**
 * An add-on, once: the one built in its package, else that of the package for this system. Throws an error of the code given,
 * with what was looked for.
 */
export function loadAddon(place: AddonPlace, machine = here()): unknown {
  const { what, code, from, local: unpublished } = place
  const { name, version, napi } = packageOf(from)
  const platform = platformName(machine)
  const published = unpublished ? [] : napi.targets.map(platformOfTarget)
  const build = `pnpm --filter ${name} run ${unpublished?.script ?? 'build:native'}`
  const file = addonFile(place, machine)
  const isLocal = file !== undefined && existsSync(file)
  if (!isLocal && !published.includes(platform)) {
    if (unpublished && file !== undefined)
      throw new IftError(code, `the native add-on of ${what} is missing: ${file} does not exist`, build)
    throw new IftError(
      code,
      `${what} is not built for ${platform}; it is for ${napi.targets.map(platformOfTarget).join(', ')}`,
      file === undefined ? undefined : `From the sources, in a checkout on this machine: ${build}`,
    )
  }
  const packageName = `${name}-${platform}`
  const key = isLocal ? file : packageName
  if (loaded.has(key)) return loaded.get(key)
  const require = createRequire(from)
  const install = `npm install ${packageName}@${version} (optional dependencies must not be left out)`
  if (!isLocal) {
    const found = versionOf(require, packageName)
    if (found === undefined) {
      const other = published.find((one) => versionOf(require, `${name}-${one}`) !== undefined)
      throw new IftError(
        code,
        `the native add-on of ${what} is missing: ` +
          (other === undefined
            ? `neither ${String(file)} nor the package ${packageName} exists`
            : `this is ${platform}, and node_modules holds that of ${other}`),
        other === undefined
          ? `${install}, or in a checkout: ${build}`
          : 'node_modules comes from another system: delete it and install again on this one',
      )
    }
    if (found !== version)
      throw new IftError(
        code,
        `the native add-on of ${what} is of another version: ${packageName} ${found}, and ${name} is ${version}`,
        install,
      )
  }
  try {
    const addon: unknown = require(key)
    loaded.set(key, addon)
    return addon
  } catch (cause) {
    throw new IftError(
      code,
      `the native add-on of ${what} cannot be loaded: ${messageOf(cause)}`,
      isLocal ? build : `From the sources, in a checkout on this machine: ${build}`,
      { cause },
    )
  }
}

/** Version of a package that is installed where `require` looks; undefined without it. */
function versionOf(require: NodeJS.Require, packageName: string): string | undefined {
  try {
    return (require(`${packageName}/package.json`) as { version: string }).version
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'MODULE_NOT_FOUND') return undefined
    throw cause
  }
}
