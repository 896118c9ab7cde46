// @ts-check
// Tarballs of packages as they are published. Only in them does an add-on's package depend on those of its platforms: in a
// checkout nothing looks for them.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { root as repository, workspacePackages } from '../workspace.mjs'
import { addOns, fileOf, packageOf } from './add-ons.mjs'
import { manifestOf, unpack } from './tarball.mjs'

/** @import { AddOn, Platform } from './add-ons.mjs' */

/** A native file, and what it is. @typedef {{ addOn: AddOn, platform: Platform, file: string }} Built */

/** @param {string} command @param {string[]} args @param {string} cwd */
function run(command, args, cwd) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  })
  if (error) throw error
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed in ${cwd}:\n${stdout}${stderr}`)
  return stdout
}

/** Add-ons that were built in the packages of this checkout, for this system. @returns {Built[]} */
export function builtHere(root = repository) {
  return addOns().flatMap((addOn) => {
    const present = new Set(readdirSync(join(root, addOn.folder)))
    return addOn.platforms
      .filter((platform) => present.has(fileOf(addOn, platform)))
      .map((platform) => ({ addOn, platform, file: join(root, addOn.folder, fileOf(addOn, platform)) }))
  })
}

/** Runs `work` in an empty folder that is removed after it. @template T @param {(folder: string) => T} work */
function inEmptyFolder(work) {
  const folder = mkdtempSync(join(tmpdir(), 'ift-pack-'))
  try {
    return work(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** @param {string} from @param {string} to */
const npmPack = (from, to) =>
  join(to, run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', to], from).trim())

/** @type {Record<string, string>} */
const libraries = { gnu: 'glibc', musl: 'musl' }

/**
 * The package that holds an add-on for one platform, described after its root.
 * @param {Record<string, any>} manifest package.json of the root as it is packed
 * @param {AddOn} addOn @param {Platform} platform
 */
export function platformManifest(manifest, addOn, platform) {
  const { version, license, repository, homepage, bugs, engines, publishConfig } = manifest
  const libc = libraries[platform.abi ?? '']
  const main = fileOf(addOn, platform)
  return {
    name: packageOf(addOn, platform),
    version,
    description: `The native add-on of ${addOn.package} for ${platform.name}.`,
    ...{ license, repository, homepage, bugs, engines },
    os: [platform.os],
    cpu: [platform.cpu],
    ...(libc && platform.os === 'linux' ? { libc: [libc] } : {}),
    main,
    files: [main],
    // No plugin, whatever its name looks like.
    ift: { provides: {} },
    publishConfig,
  }
}

/**
 * The package of an add-on as it is packed: it names the platforms that are released, with their exact version.
 * @param {Record<string, any>} manifest @param {AddOn} addOn @param {Platform[]} platforms
 */
export function rootManifest(manifest, addOn, platforms) {
  const { napi, ...rest } = manifest
  const optionalDependencies = Object.fromEntries(
    platforms.map((platform) => [packageOf(addOn, platform), manifest.version]),
  )
  return {
    ...rest,
    optionalDependencies,
    napi: { ...napi, targets: platforms.map(({ target }) => target) },
  }
}

/**
 * Peers before 1.0. The range ^0.n of a packed plugin would end with the next minor version of the core, and npm cannot update several such
 * plugins with the core at once; whether a plugin fits is said by the number of its interface (`api`), which the core checks.
 * @param {Record<string, any>} manifest
 */
export function withWidePeers(manifest) {
  const peers = manifest.peerDependencies
  if (peers === undefined) return manifest
  const wide = Object.entries(peers).map(([name, range]) => {
    const from = /^\^(0\.\d+\.\d+)$/.exec(range)?.[1]
    return [name, name.startsWith('@ift/') && from ? `>=${from} <1` : range]
  })
  return { ...manifest, peerDependencies: Object.fromEntries(wide) }
}

/** @param {string} folder @param {unknown} manifest */
const writeManifest = (folder, manifest) => {
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
}

/** @param {Built} built @param {Record<string, any>} manifest @param {string} root @param {string} folder */
function packPlatform({ addOn, platform, file }, manifest, root, folder) {
  return inEmptyFolder((staging) => {
    const described = platformManifest(manifest, addOn, platform)
    writeManifest(staging, described)
    copyFileSync(file, join(staging, described.main))
    copyFileSync(join(root, addOn.folder, 'LICENSE'), join(staging, 'LICENSE'))
    writeFileSync(
      join(staging, 'README.md'),
      `# ${described.name}\n\n${described.description} It is installed with ${addOn.package}, where it fits.\n`,
    )
    return npmPack(staging, folder)
  })
}

/**
 * Packs published packages into a folder; returns the tarballs, those of the platforms first.
 * @param {string} folder
 * @param {{ built: readonly Built[], names?: readonly string[], root?: string }} options `names`: not all, but these
 */
export function packPackages(folder, { built, names, root = repository }) {
  mkdirSync(folder, { recursive: true })
  const packages = workspacePackages(root).filter(
    ({ name, folder, isPublished }) =>
      isPublished && folder.startsWith('packages/') && (!names || names.includes(name)),
  )
  const natives = addOns(root)
  /** @type {string[]} */
  const tarballs = []
  for (const { name, folder: source, json } of packages) {
    const addOn = natives.find((one) => one.package === name)
    const packed = (/** @type {string} */ to) =>
      join(to, lastLine(run('pnpm', ['pack', '--pack-destination', to], join(root, source))))
    if (!addOn && json.peerDependencies === undefined) {
      tarballs.push(packed(folder))
      continue
    }
    inEmptyFolder((staging) => {
      const file = packed(staging)
      unpack(file, staging)
      const own = built.filter((one) => one.addOn.package === name)
      const platforms = own.map(({ platform }) => platform)
      const peered = withWidePeers(manifestOf(file))
      const manifest = addOn ? rootManifest(peered, addOn, platforms) : peered
      writeManifest(join(staging, 'package'), manifest)
      for (const one of own) tarballs.unshift(packPlatform(one, manifest, root, folder))
      tarballs.push(npmPack(join(staging, 'package'), folder))
    })
  }
  return tarballs
}

/** pnpm ends with the path of the tarball, npm with its name. @param {string} text */
const lastLine = (text) => text.trim().split('\n').at(-1)?.split(/[/\\]/).at(-1) ?? ''

/** Writes the hashes of files beside them, as `sha256sum --check` reads them. @param {string} folder */
export function writeHashes(folder) {
  const lines = readdirSync(folder)
    .filter((file) => file.endsWith('.tgz'))
    .sort()
    .map(
      (file) =>
        `${createHash('sha256')
          .update(readFileSync(join(folder, file)))
          .digest('hex')}  ${file}`,
    )
  writeFileSync(join(folder, 'SHA256SUMS'), `${lines.join('\n')}\n`)
}
