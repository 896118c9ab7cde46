#!/usr/bin/env node
// @ts-check
// Runs the tests of today's cases against an earlier commit: what went wrong once must fail there.
//   node scripts/cases-before/run.mjs [--commit 1daf927] [--work DIR] [--only NAME] [--seconds 400] [--out FILE]
// The commit is built in DIR (about ten minutes, once); tests and fixtures of this folder are copied over it. Each file runs there and here, by itself, and is
// stopped after so many seconds or at 6 GB. JSON: of every test, how it ended there and here, and the first line of what it said. What FILE says
// of the same commit is taken over where a test file and its fixtures are the same and every test is named, what it says of here only where this commit is
// the same too. Exit 1 when a test fails here.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    commit: { type: 'string', default: '1daf927' },
    work: { type: 'string' },
    only: { type: 'string' },
    seconds: { type: 'string', default: '400' },
    out: { type: 'string' },
  },
})
const root = fileURLToPath(new URL('../..', import.meta.url))
const work = values.work ?? join(tmpdir(), `ift-cases-${values.commit}`)
const mostSeconds = Number(values.seconds)
const mostKilobytes = 6e6

/** @param {string[]} args */
const git = (...args) => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim()

function build() {
  if (existsSync(join(work, 'packages/cli/dist'))) return
  mkdirSync(work, { recursive: true })
  const tar = execFileSync('git', ['archive', values.commit], { cwd: root, maxBuffer: 2 ** 30 })
  execFileSync('tar', ['-x'], { cwd: work, input: tar })
  const { status } = spawnSync(process.execPath, ['scripts/run.mjs', 'build'], {
    cwd: work,
    stdio: 'inherit',
  })
  if (status !== 0) throw new Error(`${values.commit} could not be built in ${work}`)
}

/** Kilobytes in memory of the processes of a group. @param {number} group */
const memoryOf = (group) =>
  execFileSync('ps', ['-eo', 'pgid=,rss='], { encoding: 'utf8' })
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .reduce((sum, [id, kilobytes]) => sum + (id === group ? Number(kilobytes) : 0), 0)

/**
 * @typedef {{ status: string, why?: string }} Outcome
 * @param {string} dir @param {string} file
 * @returns {Promise<{ stopped: string | null, tests: Map<string, Outcome> }>} tests by their full names
 */
async function runFile(dir, file) {
  const report = join(work, 'report.json')
  rmSync(report, { force: true })
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', file, '--reporter=json', `--outputFile=${report}`]
  const child = spawn(process.execPath, vitest, { cwd: dir, detached: true, stdio: 'ignore' })
  const group = /** @type {number} */ (child.pid)
  let ended = false
  child.once('close', () => (ended = true))
  let stopped = null
  for (const from = Date.now(); !ended; await sleep(500)) {
    if (Date.now() - from > mostSeconds * 1000) stopped = `not ended after ${mostSeconds} s`
    else if (memoryOf(group) > mostKilobytes) stopped = `more than ${mostKilobytes / 1e6} GB`
    else continue
    process.kill(-group, 'SIGKILL')
    break
  }
  /** @type {Map<string, Outcome>} */
  const tests = new Map()
  if (!existsSync(report)) return { stopped: stopped ?? 'the tests could not be run', tests }
  const { testResults } = JSON.parse(readFileSync(report, 'utf8'))
  for (const { message, assertionResults } of testResults) {
    if (message) stopped ??= firstLine(message)
    for (const { fullName, status, failureMessages } of assertionResults)
      tests.set(shortened(fullName), {
        status,
        ...(failureMessages[0] && { why: firstLine(failureMessages[0]) }),
      })
  }
  return { stopped, tests }
}

/** Names in the result, which end in their hash where they are long. @param {string} name */
const shortened = (name) =>
  name.length > 120
    ? `${name.slice(0, 112)}…${createHash('sha256').update(name).digest('hex').slice(0, 8)}`
    : name

/** What was wrong, without this machine's folders and colours. @param {string} text */
const firstLine = (text) =>
  (
    text
      .replace(/\u001b\[[\d;]*m/g, '')
      .split('\n')
      .find((line) => line.trim() !== '') ?? ''
  )
    .replaceAll(work, '.')
    .replaceAll(root.replace(/\/$/, ''), '.')
    .slice(0, 300)

/** Files of a folder and below, or the one file; none where there is nothing. @param {string} path @returns {string[]} */
const filesOf = (path) =>
  statSync(join(root, path), { throwIfNoEntry: false })?.isDirectory()
    ? readdirSync(join(root, path))
        .sort()
        .flatMap((name) => filesOf(`${path}/${name}`))
    : existsSync(join(root, path))
      ? [path]
      : []

const shared = [
  ...filesOf('test/cases').filter((path) => path.endsWith('.fixture.ts')),
  ...filesOf('test/fixture'),
]

/** Of a test file, its fixtures, and what all tests import. @param {string} name */
function hashOf(name) {
  const hash = createHash('sha256')
  const own = [`test/cases/${name}`, ...filesOf(`fixtures/cases/${name.replace(/\.test\.ts$/, '')}`)]
  for (const path of [...own, ...shared]) {
    const content = readFileSync(join(root, path))
    hash.update(`${path}\n${content.length}\n`).update(content)
  }
  return hash.digest('hex').slice(0, 16)
}

/**
 * How the tests of a file ended before, out of a result; null where what they said is not known, as they failed here.
 * @param {(typeof known)[number]} done
 */
const outcomesBefore = ({ stopped, tests }) =>
  tests.some((one) => one.here === 'failed')
    ? null
    : {
        stopped: stopped ?? null,
        tests: new Map(tests.map(({ name, before, why }) => [name, { status: before, ...(why && { why }) }])),
      }

build()
for (const folder of ['test/cases', 'test/fixture', 'fixtures', 'examples/quickstart/model'])
  cpSync(join(root, folder), join(work, folder), { recursive: true })
const commit = git('rev-parse', values.commit)
const changed = git('status', '--porcelain', '--', '.', ':!bench/results') === '' ? '' : ', changed'
const here = `${git('rev-parse', 'HEAD')}${changed}`
/** @type {{ file: string, sha256: string, here: string, stopped?: string, tests: { name: string, before: string, here: string, why?: string }[] }[]} */
const known = []
if (values.out && existsSync(values.out)) {
  const result = JSON.parse(readFileSync(values.out, 'utf8'))
  if (result.commit === commit) known.push(...result.files)
}
/** @type {typeof known} */
const files = []
for (const name of readdirSync(join(root, 'test/cases')).filter((one) => one.endsWith('.test.ts'))) {
  const sha256 = hashOf(name)
  const done = known.find((one) => one.file === name && one.sha256 === sha256)
  if (!name.includes(values.only ?? '') || (done?.here === here && changed === '')) {
    if (done) files.push(done)
    continue
  }
  const now = await runFile(root, `test/cases/${name}`)
  if (now.tests.size === 0) throw new Error(`${name}: ${now.stopped}`)
  const record = done ? outcomesBefore(done) : null
  const isWhole = record && [...now.tests.keys()].every((test) => record.tests.has(test))
  const before = isWhole ? record : await runFile(work, `test/cases/${name}`)
  const tests = [...now.tests].map(([test, { status, why }]) => {
    const then = before.tests.get(test)
    const said = status === 'failed' ? why : then?.why
    return { name: test, before: then?.status ?? 'not run', here: status, ...(said && { why: said }) }
  })
  files.push({ file: name, sha256, here, ...(before.stopped && { stopped: before.stopped }), tests })
  const passed = tests.filter((one) => one.before === 'passed').map((one) => `\n    passed: ${one.name}`)
  console.error(
    `${name}: ${tests.length} tests${before.stopped ? `, ${before.stopped}` : ''}${passed.join('')}`,
  )
  write()
}
write()

/** The result so far. */
function write() {
  const tests = files.flatMap((one) => one.tests).filter((one) => ['passed', 'failed'].includes(one.here))
  const result = {
    commit,
    tests: tests.length,
    failedBefore: tests.filter((one) => one.before === 'failed').length,
    passedBefore: tests.filter((one) => one.before === 'passed').length,
    // Of files that could not be run there, or were stopped.
    notRunBefore: tests.filter((one) => !['passed', 'failed'].includes(one.before)).length,
    failedHere: tests.filter((one) => one.here === 'failed').length,
    files,
  }
  const text = `${JSON.stringify(result, null, 2)}\n`
  if (values.out) writeFileSync(values.out, text)
  process.exitCode = result.failedHere > 0 ? 1 : 0
  return text
}
if (!values.out) console.log(write())
