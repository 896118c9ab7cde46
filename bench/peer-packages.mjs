// @ts-check
// Packages that a measurement runs beside ift, each set of them in a folder of its own below IFT_BENCH_CACHE, or ift-bench among the user's
// caches. They are installed by pip or npm when they are first asked for.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const cache = resolve(
  process.env.IFT_BENCH_CACHE || join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'ift-bench'),
)

/** @param {string} command @param {string[]} args @param {string} [cwd] */
function run(command, args, cwd) {
  // Standard output is that of the measurement.
  const { status, error } = spawnSync(command, args, { cwd, stdio: ['ignore', 2, 2] })
  if (error) throw error
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}`)
}

/** The folder of such packages; `install` fills an empty one. A stamp, written last, tells that it is whole. @param {readonly string[]} pins @param {(folder: string) => void} install */
function installed(pins, install) {
  const folder = join(cache, pins.join('+').replaceAll(/[^\w.+-]+/g, '-'))
  const stamp = join(folder, 'installed.json')
  const wanted = JSON.stringify(pins)
  try {
    if (readFileSync(stamp, 'utf8') === wanted) return folder
  } catch {
    // Not there, or left by an installation that was ended.
  }
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  console.error(`installing ${pins.join(' ')} in ${folder}`)
  install(folder)
  writeFileSync(stamp, wanted)
  return folder
}

/**
 * A Python with these packages, of the versions of scripts/reference/requirements.txt. `IFT_BENCH_PYTHON` names the one
 * that the environment is made by, 3.11 or later.
 * @param {readonly string[]} names
 * @returns {string} its path
 */
export function pythonWith(names) {
  const list = fileURLToPath(new URL('../scripts/reference/requirements.txt', import.meta.url))
  const known = readFileSync(list, 'utf8').split('\n')
  const pins = names.map((name) => {
    const pin = known.find((line) => line.startsWith(`${name}==`))
    if (pin === undefined) throw new Error(`${list} has no ${name}`)
    return pin
  })
  const bin = process.platform === 'win32' ? 'Scripts' : 'bin'
  const folder = installed(pins, (at) => {
    run(process.env.IFT_BENCH_PYTHON || 'python3', ['-m', 'venv', at])
    run(join(at, bin, 'python'), ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...pins])
  })
  return join(folder, bin, 'python')
}

/** node-llama-cpp with the library that is for this system alone; the others are larger, and for GPUs. */
export function llamaCppPackages() {
  const system = { darwin: 'mac', win32: 'win' }[/** @type {string} */ (process.platform)] ?? process.platform
  const library = `@node-llama-cpp/${system}-${process.arch}${system === 'mac' && process.arch === 'arm64' ? '-metal' : ''}`
  return nodeModulesWith(['node-llama-cpp@3.21.1', `${library}@3.21.1`])
}

/**
 * A folder with these npm packages in its node_modules, without their optional dependencies and without their scripts.
 * @param {readonly string[]} pins each `name@version`
 */
function nodeModulesWith(pins) {
  return installed(pins, (folder) => {
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
    const quiet = ['--omit=optional', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
    run('npm', ['install', ...quiet, ...pins], folder)
  })
}
