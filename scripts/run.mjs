// The commands of the repository: npm run quickstart, npm test and npm run build. Plain Node with nothing installed:
// a fresh clone runs this file first.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isStrict, mayStepBeSkipped } from './skips.mjs'
import { toolsFolder, useOwnTools } from './workspace.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const pnpmVersion = '12.21.0'
useOwnTools()

/** Ends with what is wrong and what to do about it. */
function fail(message, hint) {
  console.error(`\n${message}\n${hint ? `\n${hint}\n` : ''}`)
  process.exit(1)
}

/** Runs a command in the repository, its output shown; ends when it fails. */
function run(what, command, args, options = {}) {
  console.error(`\n— ${what}`)
  const result = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
    ...options,
  })
  if (result.error) fail(`${command} could not be started: ${result.error.message}`)
  if (result.status !== 0) fail(`${what} failed: ${command} ${args.join(' ')}`)
}

const answers = (command, args) => {
  const { status, stdout } = spawnSync(command, args, {
    encoding: 'utf8',
    shell: process.platform === 'win32',
  })
  return status === 0 ? stdout.trim() : null
}

/** Says that a step is left out; on CI that ends the run unless test/skips.json names it. */
function skip(step, why) {
  if (isStrict() && !mayStepBeSkipped(step))
    fail(`"${step}" would be skipped: ${why}.`, 'On CI only what test/skips.json names may be skipped.')
  console.error(`\n— skipped: ${step}: ${why}`)
}

function checkMachine() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major < 20 || (major === 20 && minor < 19))
    fail(
      `Node ${process.versions.node} is too old: ift needs 20.19 or later.`,
      'Install a current Node: https://nodejs.org',
    )
  // Files of a release, for machines without a compiler (scripts/build-native.mjs).
  if (process.env.IFT_PREBUILT !== undefined) return
  if (answers('cargo', ['--version']) === null)
    fail(
      'There is no Rust toolchain, which the CPU kernels and the tokenizers are built with.',
      'Install it: https://rustup.rs\nOr name a folder with the built files of this version: IFT_PREBUILT=./binaries npm run build',
    )
  // Rust for Windows finds its compiler by itself; elsewhere `cc` links, and CC names another one, maybe with arguments.
  const compilers = ['cc', process.env.CC?.split(' ')[0]].filter(Boolean)
  if (process.platform !== 'win32' && compilers.every((name) => answers(name, ['--version']) === null))
    fail(
      'There is no C compiler (cc), which Rust links with and the regular expressions of the tokenizers are built with.',
      process.platform === 'darwin'
        ? 'Install it: xcode-select --install'
        : 'Install it: apt-get install build-essential, or gcc and make of your system.',
    )
}

function install() {
  if (answers('pnpm', ['--version']) === null)
    run(`fetching pnpm ${pnpmVersion}`, 'npm', [
      'install',
      '--no-save',
      '--no-audit',
      '--no-fund',
      '--prefix',
      toolsFolder,
      `pnpm@${pnpmVersion}`,
    ])
  run('installing packages', 'pnpm', ['install', '--frozen-lockfile', '--prefer-offline'])
}

function build() {
  checkMachine()
  install()
  run('building', 'pnpm', [
    '-r',
    '--workspace-concurrency=2',
    '--filter',
    './packages/**',
    '--filter',
    './examples/**',
    '--if-present',
    'run',
    'build',
  ])
}

/** A tool that rustup installs beside cargo, and that not every toolchain has. */
function cargoCheck(tool, args) {
  if (answers('cargo', [tool, '--version']) === null)
    skip(`cargo ${tool}`, `it is not installed (rustup component add ${tool === 'fmt' ? 'rustfmt' : tool})`)
  else run(`checking the native code with ${tool}`, 'cargo', [tool, ...args])
}

/** The GPU kernels for the tests: compiled for the processor, where the emulator is at home. */
const emulates =
  process.platform === 'linux' &&
  answers('g++', ['--version']) !== null &&
  answers('cargo', ['--version']) !== null

function buildEmulatedGpu() {
  if (emulates)
    run('building the emulated GPU', 'pnpm', ['--filter', '@ift/kernels-cuda', 'run', 'build:emulated'])
  else skip('emulated GPU', 'it needs Linux, g++ and Rust')
}

/** Memory errors and races of the GPU kernels; and, where there is an nvcc, kernels that it cannot compile or that spill. */
function checkGpuKernels() {
  const script = 'packages/kernels-cuda/scripts/emulate.mjs'
  const homes = [process.env.CUDA_HOME, '/usr/local/cuda'].filter(Boolean).map((home) => join(home, 'bin'))
  const folders = [...homes, ...process.env.PATH.split(delimiter)]
  if (!folders.some((folder) => existsSync(join(folder, 'nvcc'))))
    skip('nvcc', 'not in CUDA_HOME, PATH or /usr/local/cuda (scripts/cuda-toolkit installs it)')
  if (emulates) run('checking the GPU kernels', 'node', [script, '--modes', 'address,race,nvcc'])
}

/** Names for IFT_SKIP: requirements of the kernel tests that this machine lacks. */
function allowedSkips() {
  if (process.env.IFT_CUDA_LIB || existsSync(join(root, '.cuda-libraries'))) return {}
  skip('cuBLASLt', 'it describes no product without its library (scripts/cuda-libraries)')
  return { IFT_SKIP: [process.env.IFT_SKIP, 'cublas'].filter(Boolean).join(',') }
}

/** Published models and tokenizers of the tests, into a cache outside the repository. */
function fetchRealModels() {
  console.error('\n— fetching real models and tokenizers')
  const { status } = spawnSync(
    process.execPath,
    [join(root, 'scripts/real-models/fetch.mjs'), '--for-tests'],
    { stdio: 'inherit' },
  )
  if (status !== 0) skip('real models', 'those that are not in the cache could not be fetched')
}

/** Open MPI and MPICH for the tests of ranks, where the machine has none. */
function provideMpi() {
  if (answers('mpirun', ['--version']) !== null && answers('mpiexec.hydra', ['--version']) !== null) return
  const here = process.platform === 'linux' && process.arch === 'x64'
  const set = `eval "$('${join(root, 'scripts/mpi')}')" && env -0`
  const environment = here ? answers('bash', ['-euo', 'pipefail', '-c', set]) : null
  if (environment === null) {
    skip('MPI', 'mpirun of Open MPI and mpiexec.hydra of MPICH are not installed (scripts/mpi)')
    return
  }
  for (const entry of environment.split('\0').filter(Boolean)) {
    const at = entry.indexOf('=')
    process.env[entry.slice(0, at)] = entry.slice(at + 1)
  }
}

/** Debian's Chromium for the tests of the page: on CI it is installed where it is missing and may be. */
function provideBrowser() {
  if (process.platform !== 'linux') return
  const names = ['chromium', 'chromium-browser', 'google-chrome']
  const isThere = () =>
    names.some((name) => existsSync(`/usr/bin/${name}`)) || existsSync(process.env.CHROMIUM ?? '')
  if (isThere()) return
  if (isStrict() && process.getuid?.() === 0 && answers('apt-get', ['--version']) !== null) {
    console.error('\n— installing Chromium')
    const apt = (...args) =>
      spawnSync('apt-get', args, {
        stdio: 'inherit',
        env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      })
    apt('update', '-qq')
    apt('install', '-y', '-qq', '--no-install-recommends', 'chromium', 'fonts-noto-cjk')
    if (isThere()) return
  }
  skip('browser', 'Chromium is not installed (apt-get install chromium)')
}

const release = ['--release', '--quiet', '--workspace']

function test() {
  build()
  fetchRealModels()
  provideMpi()
  provideBrowser()
  buildEmulatedGpu()
  for (const project of ['tsconfig.json', 'packages/web/tsconfig.json'])
    run(`checking types of ${project}`, 'pnpm', ['exec', 'tsc', '-p', project, '--noEmit'])
  run('linting', 'pnpm', ['exec', 'eslint', '.'])
  run('checking the format', 'pnpm', ['exec', 'prettier', '--check', '.'])
  run('checking imports', 'node', ['scripts/check-imports.mjs'])
  run('looking for what is not used', 'pnpm', ['exec', 'knip'])
  run('checking the packages', 'node', ['scripts/check-packages.mjs'])
  cargoCheck('fmt', ['--all', '--check'])
  cargoCheck('clippy', [...release, '--all-targets', '--', '-D', 'warnings'])
  if (answers('cargo', ['--version']) === null) skip('native code', 'there is no Rust toolchain')
  else
    run('testing the native code', 'cargo', ['test', ...release], {
      env: { ...process.env, ...allowedSkips() },
    })
  checkGpuKernels()
  run('testing the packed packages', 'node', ['test/e2e/run.mjs'])
  run('testing the packages', 'pnpm', [
    'exec',
    'vitest',
    'run',
    '--reporter=dot',
    '--reporter=./scripts/vitest-summary.mjs',
  ])
}

function quickstart() {
  build()
  run('the quick start', 'node', ['examples/quickstart/run.mjs', ...process.argv.slice(3)])
}

const commands = { build, quickstart, test }
const command = commands[process.argv[2] ?? '']
if (!command) fail(`Usage: node scripts/run.mjs ${Object.keys(commands).join(' | ')}`)
command()
