// @ts-check
// Native add-ons as they are released: no path of this machine in them, in a target folder of their own. With IFT_CROSS=1
// zig links for other systems and for old C libraries (scripts/release/requirements.txt, in an environment of its own).
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import process from 'node:process'
import { root } from '../workspace.mjs'
import { fileOf } from './add-ons.mjs'
import { faultsOf, glibcOf, oldestMacOS } from './check-binary.mjs'

/** @import { AddOn, Platform } from './add-ons.mjs' */

/** Oldest glibc that cross-built files run on. */
const oldestGlibc = '2.17'

const targetFolder = join(root, 'target', 'packages')
const tools = join(root, 'node_modules', '.ift-tools', 'zig')
const bin = join(tools, process.platform === 'win32' ? 'Scripts' : 'bin')

const isCross = () => process.env['IFT_CROSS'] === '1'

/** Whether zig links for a system: on Windows, Microsoft's linker does for Windows. @param {Platform} platform */
const usesZig = ({ os }) => isCross() && !(os === 'win32' && process.platform === 'win32')

/**
 * A platform as zig knows it. Microsoft's libraries are on Windows alone, those of MinGW come with zig: Node calls add-ons by C's
 * conventions, which both keep.
 * @param {Platform} platform @returns {Platform}
 */
export const linkedByZig = (platform) =>
  platform.os === 'win32'
    ? { ...platform, target: platform.target.replace(/msvc$/, 'gnullvm'), abi: 'gnullvm' }
    : platform

/** A folder with a library of Node for MinGW's linker, an empty one: add-ons look Node's functions up when they are loaded. */
function emptyLibnode() {
  const folder = join(targetFolder, 'libnode')
  mkdirSync(folder, { recursive: true })
  for (const name of ['libnode.dll', 'libnode.a']) writeFileSync(join(folder, name), '!<arch>\n')
  return folder
}

/** @param {string} command @param {string[]} args */
const output = (command, args) => {
  const { status, stdout } = spawnSync(command, args, { encoding: 'utf8', cwd: root })
  return status === 0 ? stdout.trim() : null
}

/** @type {string | undefined} */
let host

function hostTarget() {
  host ??= /^host: (.+)$/m.exec(output('rustc', ['-vV']) ?? '')?.[1] ?? ''
  return host
}

const hasNvcc = () =>
  [
    ...[process.env['CUDA_HOME'], '/usr/local/cuda', join(root, '.cuda-toolkit/nvidia/cu13')]
      .filter((home) => home !== undefined)
      .map((home) => join(home, 'bin')),
    ...(process.env['PATH'] ?? '').split(delimiter),
  ].some((folder) => existsSync(join(folder, 'nvcc')))

/**
 * Why this machine cannot build an add-on for a platform; null when it can.
 * @param {AddOn} addOn @param {Platform} platform
 */
export function obstacle(addOn, platform) {
  if (hostTarget() === '') return 'there is no Rust toolchain (https://rustup.rs)'
  if (existsSync(join(root, addOn.folder, 'cuda')) && !hasNvcc())
    return 'there is no nvcc (scripts/cuda-toolkit)'
  if (platform.target === hostTarget()) return null
  if (!isCross()) return 'built for other systems only with IFT_CROSS=1'
  const { target } = usesZig(platform) ? linkedByZig(platform) : platform
  const library = output('rustc', ['--print', 'target-libdir', '--target', target])
  if (library === null || !existsSync(library))
    return `the standard library is missing: rustup target add ${target}`
  return null
}

/** zig and cargo-zigbuild, installed once. */
function provideZig() {
  if (existsSync(join(bin, 'cargo-zigbuild')) || existsSync(join(bin, 'cargo-zigbuild.exe'))) return
  const python = process.platform === 'win32' ? 'python' : 'python3'
  run(python, ['-m', 'venv', tools])
  run(join(bin, 'pip'), ['install', '-q', '-r', join(root, 'scripts/release/requirements.txt')])
}

/** @param {string} command @param {string[]} args @param {Record<string, string>} [env] */
function run(command, args, env = {}) {
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 2, 2],
    env: { ...process.env, ...env },
  })
  if (error) throw error
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed`)
}

/** Names in place of folders of this machine, the more special ones last: of two that fit, compilers take that. */
function renamedFolders() {
  const cargo = process.env['CARGO_HOME'] ?? join(homedir(), '.cargo')
  const sources = join(cargo, 'registry', 'src')
  const registries = existsSync(sources) ? readdirSync(sources).map((one) => join(sources, one)) : []
  return [
    [homedir(), '/home'],
    [cargo, '/cargo'],
    ...registries.map((one) => [one, '/crates']),
    [root, '/ift'],
  ]
}

/** @param {AddOn} addOn @param {Platform} platform */
export function environment(addOn, platform) {
  const { target, abi, os } = platform
  const renamed = renamedFolders().map(([from, to]) => `${from?.replace(/\/$/, '')}=${to}`)
  const rust = renamed.map((pair) => `--remap-path-prefix=${pair}`)
  if (abi === 'musl') rust.push('-Ctarget-feature=-crt-static')
  // Windows comes without the runtime of Microsoft's compiler.
  if (abi === 'msvc') rust.push('-Ctarget-feature=+crt-static')
  // Apple's linkers write the path where a library is built into it, as the name under which others would load it.
  if (os === 'darwin') rust.push(`-Clink-arg=-Wl,-install_name,@rpath/${fileOf(addOn, platform)}`)
  const c = renamed.map((pair) => `-ffile-prefix-map=${pair}`).join(' ')
  return {
    CARGO_ENCODED_RUSTFLAGS: rust.join('\x1f'),
    ...(target.endsWith('-msvc') ? {} : { CFLAGS: c, CXXFLAGS: c }),
    CARGO_PROFILE_RELEASE_STRIP: 'symbols',
    MACOSX_DEPLOYMENT_TARGET: oldestMacOS,
    IFT_REQUIRE_NVCC: '1',
  }
}

/**
 * Builds an add-on for a platform into a folder; returns the file with its size and the glibc that it needs.
 * @param {AddOn} addOn @param {Platform} platform @param {string} folder
 */
export function build(addOn, platform, folder) {
  const manifest = readFileSync(join(root, addOn.folder, 'native', 'Cargo.toml'), 'utf8')
  const crate = /^name = "(.+)"$/m.exec(manifest)?.[1] ?? ''
  const zig = usesZig(platform)
  if (zig) provideZig()
  const compiled = zig ? linkedByZig(platform) : platform
  const { target, abi } = compiled
  const linked = zig && abi === 'gnu' ? `${target}.${oldestGlibc}` : target
  run(
    'cargo',
    [
      ...[zig ? 'zigbuild' : 'build', '--release', '--locked', '--lib', '--package', crate],
      ...['--target', linked, '--target-dir', targetFolder],
    ],
    {
      ...environment(addOn, compiled),
      ...(abi === 'gnullvm' ? { LIBNODE_PATH: emptyLibnode() } : {}),
      ...(zig ? { PATH: [bin, process.env['PATH']].join(delimiter) } : {}),
    },
  )
  const [prefix, suffix] =
    platform.os === 'win32' ? ['', '.dll'] : ['lib', platform.os === 'darwin' ? '.dylib' : '.so']
  const built = join(targetFolder, target, 'release', `${prefix}${crate.replaceAll('-', '_')}${suffix}`)
  mkdirSync(folder, { recursive: true })
  const file = join(folder, fileOf(addOn, platform))
  copyFileSync(built, file)
  return { file, ...check(file, platform) }
}

/** Throws where a file is not the add-on of a platform as it may be released. @param {string} file @param {Platform} platform */
export function check(file, platform) {
  const bytes = readFileSync(file)
  const faults = faultsOf(bytes, platform)
  if (faults.length > 0) throw new Error(`${file} cannot be released:\n  ${faults.join('\n  ')}`)
  return { bytes: bytes.length, glibc: glibcOf(bytes) }
}
