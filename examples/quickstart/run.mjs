// @ts-check
// The quick start: teaches the base model of this folder to solve problems, once with the answers alone and once with the
// steps of the solutions, and measures both on problems held out.
//   node examples/quickstart/run.mjs [--steps N] [--test N] [--seed N] [--out FOLDER]
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { writeProblems } from './generate.mjs'
import { accuracy, score } from './score.mjs'

/**
 * @typedef {{ instruction: string, answer: number, kind: string, language: string, steps: number }} Problem
 * @typedef {{ name: string, outputs: string[], tallies: ReturnType<typeof score> }} Result
 */

const root = fileURLToPath(new URL('../..', import.meta.url))
const here = fileURLToPath(new URL('.', import.meta.url))

const bold = (/** @type {string} */ text) =>
  process.stdout.isTTY && !process.env['NO_COLOR'] ? `\x1b[1m${text}\x1b[22m` : text
const say = (text = '') => void process.stdout.write(`${text}\n`)
const percent = (/** @type {import('./score.mjs').Tally} */ tally) =>
  `${(100 * accuracy(tally)).toFixed(1)} %`
const fromRoot = (/** @type {string} */ path) => relative(root, path)
const fromHere = (/** @type {string} */ path) => relative(here, path)

/** @template T @param {string} file @returns {T[]} */
const readLines = (file) =>
  readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))

/** Runs one command of ift, shown as one would type it; ends with its exit code when it fails. @param {string[]} args */
const runIft = (args) => {
  say(`\n$ npx ift ${args.join(' ')}`)
  const command = join(root, 'packages/cli/bin/ift.js')
  const { status, error } = spawnSync(process.execPath, [command, ...args], { cwd: root, stdio: 'inherit' })
  if (error) throw error
  if (status !== 0) process.exit(status ?? 1)
}

/**
 * Answers the held-out problems and scores the answers.
 *
 * @param {string} name @param {string} test @param {string} output @param {string[]} flags @returns {Result}
 */
const measure = (name, test, output, flags) => {
  runIft(['predict', '-c', fromRoot(here), '--input', test, '--output', output, '--batch', '100', ...flags])
  const outputs = readLines(output).map(({ generate }) => generate)
  const tallies = score(readLines(test), outputs)
  const { correct, total } = tallies.all
  say(bold(`${name}: ${correct} of ${total} right (${percent(tallies.all)})`))
  return { name, outputs, tallies }
}

/** @param {readonly string[][]} rows the first is the head */
const table = (rows) => {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? []
  const pad = (/** @type {string} */ cell, /** @type {number} */ column) =>
    column ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[0] ?? 0)
  rows.forEach((row, i) => {
    const line = row.map(pad).join('   ')
    say(`  ${i ? line : bold(line)}`)
  })
}

const kinds = /** @type {Record<string, string>} */ ({
  R: 'running total',
  C: 'containers',
  B: 'comparison',
  D: 'two containers',
})
const languages = /** @type {Record<string, string>} */ ({ en: 'English', zh: 'Chinese' })
const groups = /** @type {const} */ ([
  ['kind', (/** @type {string} */ key) => kinds[key] ?? key],
  ['steps', (/** @type {string} */ key) => `${key} steps`],
  ['language', (/** @type {string} */ key) => languages[key] ?? key],
])

const main = () => {
  const { values } = parseArgs({
    options: {
      steps: { type: 'string', default: '250' },
      test: { type: 'string', default: '200' },
      seed: { type: 'string', default: '0' },
      out: { type: 'string', default: join(root, 'runs/quickstart') },
    },
  })
  if (!existsSync(join(root, 'packages/cli/dist/index.js'))) {
    console.error('ift is not built here.\n\nBuild it: npm run build')
    process.exit(1)
  }
  const started = performance.now()
  const out = values.out
  // These are this script's own, and written anew each time.
  for (const name of [
    'problems',
    'answers',
    'cot',
    'base.jsonl',
    'answers.jsonl',
    'cot.jsonl',
    'results.json',
  ])
    rmSync(join(out, name), { recursive: true, force: true })

  say(bold('Problems'))
  const files = writeProblems({
    out: join(out, 'problems'),
    seed: Number(values.seed),
    train: 6000,
    test: Number(values.test),
  })
  const test = fromRoot(files.test)
  /** @type {Problem[]} */
  const problems = readLines(files.test)
  const [row] = readLines(files.cot)
  say(`6000 to learn from, ${problems.length} held out (other numbers, other names). The first:\n`)
  say(`  ${row.instruction}\n  → ${row.output}`)

  /** @type {Result[]} */
  const results = [measure('The base model', test, fromRoot(join(out, 'base.jsonl')), [])]
  for (const [arm, name, data] of /** @type {const} */ ([
    ['answers', 'Tuned on answers alone', files.answers],
    ['cot', 'Tuned on steps and answers', files.cot],
  ])) {
    const run = join(out, arm)
    const flags = ['--data', fromHere(data), '--output', fromHere(run)]
    const length = ['--train.maxSteps', values.steps, '--train.seed', values.seed]
    runIft(['train', '-c', fromRoot(here), ...flags, ...length])
    const adapter = ['--adapter', fromHere(join(run, 'adapter'))]
    results.push(measure(name, test, fromRoot(join(out, `${arm}.jsonl`)), adapter))
  }
  const seconds = Math.round((performance.now() - started) / 1000)
  writeFileSync(
    join(out, 'results.json'),
    `${JSON.stringify({ ...values, seconds, results: results.map(({ name, tallies }) => ({ name, ...tallies })) }, null, 2)}\n`,
  )

  say(`\n${bold('Held-out problems solved (exact match)')}\n`)
  table([
    ['', 'base', 'answers alone', 'steps and answers'],
    [`all ${problems.length}`, ...results.map(({ tallies }) => percent(tallies.all))],
    ...groups.flatMap(([group, label]) =>
      Object.keys(results[0]?.tallies[group] ?? {})
        .sort()
        .map((key) => [
          label(key),
          ...results.map(({ tallies }) => percent(tallies[group][key] ?? { correct: 0, total: 0 })),
        ]),
    ),
  ])
  say(`\n${bold('One problem, three models')}\n\n  ${problems[0]?.instruction} (${problems[0]?.answer})\n`)
  for (const { name, outputs } of results)
    say(`  ${name}:\n    ${outputs[0]?.trim().replaceAll('\n', '\n    ')}`)
  say(
    `\n${seconds} s in all. Curves: ${fromRoot(join(out, 'cot/report.html'))}. Ask it a problem of your own:\n`,
  )
  say(`  npx ift chat -c ${fromRoot(here)} --adapter ${fromHere(join(out, 'cot/adapter'))}`)
}

main()
