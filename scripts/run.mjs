// The commands of the repository: npm run quickstart, npm test and npm run build. Plain Node with nothing installed:
// a fresh clone runs this file first.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isStrict, mayStepBeSkipped } from './skips.mjs'
import { runSteps } from './steps.mjs'
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

/** pnpm itself, where the machine has none. */
function bringPnpm() {
  if (answers('pnpm', ['--version']) !== null) return
  const packages = ['--prefix', toolsFolder, `pnpm@${pnpmVersion}`]
  run(`fetching pnpm ${pnpmVersion}`, 'npm', ['install', '--no-save', '--no-audit', '--no-fund', ...packages])
}

const installing = ['install', '--frozen-lockfile', '--prefer-offline']
const building = (atATime) => [
  ...['-r', `--workspace-concurrency=${atATime}`, '--if-present'],
  ...['--filter', './packages/**', '--filter', './examples/**', 'run'],
]

function build() {
  checkMachine()
  bringPnpm()
  run('installing packages', 'pnpm', installing)
  run('building', 'pnpm', [...building(2), 'build'])
}

/** Whether there is a tool that rustup installs beside cargo, and that not every toolchain has. */
function hasCargoTool(tool) {
  if (answers('cargo', [tool, '--version']) !== null) return true
  skip(`cargo ${tool}`, `it is not installed (rustup component add ${tool === 'fmt' ? 'rustfmt' : tool})`)
  return false
}

/** The kernels are checked for memory errors and races; where there is an nvcc also for what it cannot compile, and for spills. */
function lookForNvcc() {
  const homes = [process.env.CUDA_HOME, '/usr/local/cuda'].filter(Boolean).map((home) => join(home, 'bin'))
  const folders = [...homes, ...process.env.PATH.split(delimiter)]
  if (!folders.some((folder) => existsSync(join(folder, 'nvcc'))))
    skip('nvcc', 'not in CUDA_HOME, PATH or /usr/local/cuda (scripts/cuda-toolkit installs it)')
}

/** Names for IFT_SKIP: requirements of the kernel tests that this machine lacks. */
function allowedSkips() {
  if (process.env.IFT_CUDA_LIB || existsSync(join(root, '.cuda-libraries'))) return {}
  skip('cuBLASLt', 'it describes no product without its library (scripts/cuda-libraries)')
  return { IFT_SKIP: [process.env.IFT_SKIP, 'cublas'].filter(Boolean).join(',') }
}

/** Whether Open MPI and MPICH, for the tests of ranks, are on this machine. */
const hasMpi = () =>
  answers('mpirun', ['--version']) !== null && answers('mpiexec.hydra', ['--version']) !== null

/** Sets what the tests need to find those that scripts/mpi has brought. */
function useMpi() {
  if (hasMpi()) return
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

const release = ['--release', '--workspace']

/** Steps of the tests before those of the packages. Most keep one processor busy, so they run side by side; long ones stand first. */
function checks() {
  const hasRust = answers('cargo', ['--version']) !== null
  /** The GPU kernels for the tests: compiled for the processor, where the emulator is at home. */
  const emulates = process.platform === 'linux' && hasRust && answers('g++', ['--version']) !== null
  if (!hasRust) skip('native code', 'there is no Rust toolchain')
  if (!emulates) skip('emulated GPU', 'it needs Linux, g++ and Rust')
  lookForNvcc()
  const isCompiled = hasRust && process.env.IFT_PREBUILT === undefined
  const installed = ['installing packages']
  const native = isCompiled ? ['compiling the native code'] : []
  const isLinux = process.platform === 'linux'
  const when = (condition, ...steps) => (condition ? steps : [])
  const pnpm = (name, args, more = {}) => ({ name, command: 'pnpm', args, after: installed, ...more })
  const script = (name, args, more = {}) => ({ name, command: process.execPath, args, ...more })
  // napi names the target, and then cargo has a folder for it: without the name all crates would be compiled once more.
  const env = { ...process.env, ...(hasRust && { CARGO_BUILD_TARGET: hostTarget() }) }
  // Cargos that compile wait for each other.
  const lock = 'cargo'
  const cargo = (name, args, more = {}) => ({ name, command: 'cargo', args, env, lock, ...more })
  return [
    pnpm('installing packages', installing, { waits: true, after: [] }),
    ...when(isCompiled, cargo('compiling the native code', ['build', '--quiet', ...release])),
    script('fetching real models and tokenizers', ['scripts/real-models/fetch.mjs', '--for-tests'], {
      waits: true,
      failed: () => skip('real models', 'those that are not in the cache could not be fetched'),
    }),
    // Whether it was of use is seen before the tests.
    ...when(isLinux && !hasMpi(), {
      ...{ name: 'fetching MPI', command: join(root, 'scripts/mpi'), args: [] },
      ...{ waits: true, failed: () => undefined },
    }),
    // Where the tests of the page are not to be skipped, a missing browser is installed.
    ...when(isLinux && isStrict(), {
      ...{ name: 'fetching a browser', command: join(root, 'scripts/browser'), args: [] },
      ...{ waits: true, failed: () => skip('browser', 'Chromium is not installed (scripts/browser)') },
    }),
    pnpm('building the packages', [...building(1), 'build'], {
      env: { ...process.env, IFT_NATIVE: 'later' },
    }),
    pnpm('building the native add-ons', [...building(1), 'build:native'], {
      ...{ after: [...installed, ...native], lock },
    }),
    ...when(
      emulates,
      script(
        'checking the GPU kernels',
        ['packages/kernels-cuda/scripts/emulate.mjs', '--modes', 'address,race,nvcc'],
        // It needs nothing that is installed, but the packages are to come first.
        { after: installed },
      ),
      pnpm('building the emulated GPU', ['--filter', '@ift/kernels-cuda', 'run', 'build:emulated'], {
        ...{ after: [...installed, ...native], env, lock },
      }),
    ),
    ...when(
      hasRust,
      cargo('testing the native code', ['test', '--quiet', ...release], {
        ...{ after: native, env: { ...env, ...allowedSkips() } },
      }),
    ),
    pnpm('linting', ['exec', 'eslint', '.'], { after: ['building the packages'] }),
    ...when(
      hasRust && hasCargoTool('clippy'),
      cargo(
        'checking the native code with clippy',
        ['clippy', '--quiet', ...release, '--all-targets', '--', '-D', 'warnings'],
        { after: native },
      ),
    ),
    script('testing the packed packages', ['test/e2e/run.mjs'], {
      after: ['building the packages', 'building the native add-ons'],
    }),
    ...['tsconfig.json', 'packages/web/tsconfig.json'].map((project) =>
      pnpm(`checking types of ${project}`, ['exec', 'tsc', '-p', project, '--noEmit'], {
        after: ['building the packages'],
      }),
    ),
    pnpm('checking the format', ['exec', 'prettier', '--check', '.']),
    script('checking the packages', ['scripts/check-packages.mjs'], { after: ['building the packages'] }),
    pnpm('looking for what is not used', ['exec', 'knip'], { after: ['building the packages'] }),
    script('checking imports', ['scripts/check-imports.mjs'], { after: installed }),
    ...when(
      hasRust && hasCargoTool('fmt'),
      cargo('checking the native code with fmt', ['fmt', '--all', '--check'], { lock: undefined }),
    ),
  ]
}

/** The target that cargo compiles for where none is named. */
const hostTarget = () =>
  process.env.CARGO_BUILD_TARGET ?? /^host: (\S+)$/m.exec(answers('rustc', ['-vV']) ?? '')?.[1]

async function test() {
  checkMachine()
  bringPnpm()
  const failure = await runSteps(checks(), { cwd: root })
  if (failure !== null) fail(failure)
  useMpi()
  run('testing the packages', 'pnpm', [
    ...['exec', 'vitest', 'run', '--reporter=dot'],
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
await command()
