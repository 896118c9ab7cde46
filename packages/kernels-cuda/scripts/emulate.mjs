// Builds the kernel tests in cuda/tests with the host compiler and runs them: under all four thread schedules, under
// AddressSanitizer + UndefinedBehaviorSanitizer and under ThreadSanitizer with small cases, and with each planted bug,
// which must make them fail. Where nvcc is found it also compiles every kernel file for all targets; a kernel that
// spills registers is an error.
//
//   node scripts/emulate.mjs [--only rope,attention] [--modes schedules,address,race,planted,nvcc] [--keep DIR]
//
// CXX names the host compiler (g++). nvcc is looked for in CUDA_HOME, in PATH, in /usr/local/cuda and in .cuda-toolkit.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const SCHEDULES = [0, 1, 2, 3]
const TARGETS = ['80', '90', '100', '120']
const ALL_MODES = ['schedules', 'address', 'race', 'planted', 'nvcc']
// Sanitizers multiply the time to compile.
const FEW = '-DIFT_FEW_SHAPES'
const RACE = 'WARNING: ThreadSanitizer'

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    modes: { type: 'string', default: ALL_MODES.join(',') },
    keep: { type: 'string' },
  },
})
const modes = new Set(options.modes.split(','))
const only = options.only?.split(',')
const unknown = [...modes].filter((mode) => !ALL_MODES.includes(mode))
if (unknown.length > 0) {
  process.stderr.write(`unknown mode ${unknown.join(', ')}: expected ${ALL_MODES.join(', ')}\n`)
  process.exit(2)
}

const cuda = join(dirname(fileURLToPath(import.meta.url)), '..', 'cuda')
const build = options.keep ?? mkdtempSync(join(tmpdir(), 'ift-emulate-'))
mkdirSync(build, { recursive: true })
const compiler = process.env['CXX'] ?? 'g++'
const failures = []

const wanted = (file) => only === undefined || only.some((name) => basename(file).startsWith(name))
const say = (text) => process.stdout.write(`${text}\n`)
const fail = (text) => {
  failures.push(text)
  say(`FAILED ${text}`)
}

function compile(test, suffix, flags) {
  const out = join(build, `${basename(test, '.cu')}-${suffix}`)
  const common = [
    '-x',
    'c++',
    '-std=c++17',
    '-march=native',
    '-ffp-contract=off',
    '-pthread',
    '-Wall',
    '-Wno-unknown-pragmas',
  ]
  const args = [...common, ...flags, join(cuda, 'tests', test), '-o', out]
  const result = spawnSync(compiler, args, { encoding: 'utf8' })
  if (result.error) throw result.error
  if (result.status === 0) return out
  fail(`${test} (${suffix}) does not compile\n${result.stderr.slice(0, 4000)}`)
  return undefined
}

const execute = (program, args, env = {}) =>
  spawnSync(program, args, {
    encoding: 'utf8',
    env: { ...process.env, ...env },
    maxBuffer: 1 << 28,
    timeout: 600_000,
  })

function expectPass(test, program, args, env) {
  const result = execute(program, args, env)
  const name = `${basename(program)} ${args.join(' ')}`
  if (result.status === 0) {
    const { cases, checks, seconds } = JSON.parse(result.stdout.trim().split('\n').at(-1))
    say(`ok ${name}: ${cases} cases, ${checks} checks, ${seconds} s`)
  } else {
    const lines = result.stdout.split('\n').filter((line) => !line.includes('"status":"ok"'))
    fail(`${name}\n${(lines.join('\n') + result.stderr).slice(0, 4000)}`)
  }
}

const tests = readdirSync(join(cuda, 'tests')).filter((file) => file.endsWith('_test.cu') && wanted(file))
for (const test of tests) {
  if (modes.has('schedules')) {
    const program = compile(test, 'schedules', ['-O2'])
    if (program !== undefined) for (const n of SCHEDULES) expectPass(test, program, [`schedule=${n}`])
  }
  if (modes.has('address')) {
    const program = compile(test, 'address', [
      '-O1',
      '-g',
      FEW,
      '-fsanitize=address,undefined',
      '-fno-sanitize-recover=undefined',
    ])
    const env = { ASAN_OPTIONS: 'detect_leaks=0' }
    if (program !== undefined) for (const n of [0, 3]) expectPass(test, program, [`schedule=${n}`], env)
  }
  const raceFlags = ['-O1', '-g', FEW, '-fsanitize=thread']
  const raceRun = { TSAN_OPTIONS: 'history_size=7:exitcode=66' }
  if (modes.has('race')) {
    const program = compile(test, 'race', raceFlags)
    if (program !== undefined) {
      for (const n of [0, 2]) expectPass(test, program, ['threads=1', `schedule=${n}`], raceRun)
    }
  }
  if (modes.has('planted')) {
    const source = readFileSync(join(cuda, 'tests', test), 'utf8')
    for (const [, macro, race] of source.matchAll(/^\/\/ planted bug: (\w+)(, race)?$/gm)) {
      const program = compile(test, macro, ['-O1', FEW, `-D${macro}`])
      if (program === undefined) continue
      // 2 is a wrong command line; anything else, the end by a signal too, is the bug.
      const caught = SCHEDULES.filter((n) => ![0, 2].includes(execute(program, [`schedule=${n}`]).status))
      if (caught.length === 0) fail(`${test}: no schedule noticed ${macro}`)
      else say(`ok ${test}: ${macro} noticed by schedules ${caught.join(', ')}`)
      if (race === undefined || !modes.has('race')) continue
      const checked = compile(test, `${macro}-race`, [...raceFlags, `-D${macro}`])
      if (checked === undefined) continue
      const seen = [0, 2].filter((n) =>
        execute(checked, ['threads=1', `schedule=${n}`], raceRun).stderr.includes(RACE),
      )
      if (seen.length === 0) fail(`${test}: ThreadSanitizer did not see ${macro}`)
      else say(`ok ${test}: ${macro} reported as a race`)
    }
  }
}

function findNvcc() {
  const homes = [process.env['CUDA_HOME'], '/usr/local/cuda'].filter((home) => home !== undefined)
  const places = [...homes.map((home) => join(home, 'bin')), ...(process.env['PATH'] ?? '').split(':')]
  return places.map((place) => join(place, 'nvcc')).find((file) => existsSync(file))
}

const HOT_LINE = /Compiling entry function '(\w+)' for '(\w+)'/
const SPILL_LINE = /(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads/
const USED_LINE = /Used (\d+) registers/

if (modes.has('nvcc')) {
  const nvcc = findNvcc()
  if (nvcc === undefined)
    say('skipped nvcc: not in CUDA_HOME, PATH or /usr/local/cuda; scripts/cuda-toolkit installs it')
  else {
    for (const file of readdirSync(cuda).filter((name) => name.endsWith('.cu') && wanted(name))) {
      const targets = TARGETS.flatMap((n) => ['-gencode', `arch=compute_${n},code=sm_${n}`])
      const args = ['-std=c++17', '-O3', '-Xptxas', '-v', ...targets, '-fatbin']
      const result = execute(nvcc, [...args, '-o', join(build, `${file}.fatbin`), join(cuda, file)])
      if (result.status !== 0) {
        fail(`nvcc ${file}\n${result.stderr.slice(0, 4000)}`)
        continue
      }
      let kernel = ''
      let most = 0
      let kernels = 0
      for (const line of (result.stdout + result.stderr).split('\n')) {
        const entry = HOT_LINE.exec(line)
        if (entry !== null) {
          kernel = `${entry[1]} for ${entry[2]}`
          kernels++
        }
        const spill = SPILL_LINE.exec(line)
        if (spill !== null && Number(spill[2]) + Number(spill[3]) > 0)
          fail(`${kernel} spills: ${line.trim()}`)
        most = Math.max(most, Number(USED_LINE.exec(line)?.[1] ?? 0))
      }
      say(`ok nvcc ${file}: ${kernels} kernels, at most ${most} registers`)
    }
  }
}

if (options.keep === undefined) rmSync(build, { recursive: true })
if (failures.length > 0) {
  say(`${failures.length} failures`)
  process.exit(1)
}
