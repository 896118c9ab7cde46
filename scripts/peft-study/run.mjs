#!/usr/bin/env node
// @ts-check
// What each method is worth: trains all of them on the quick start's task with the same rows in the same order, the best of three
// learning rates each, and measures speed and memory of each.
//   node scripts/peft-study/run.mjs [--steps 250] [--test 200] [--out runs/peft-study] [--only NAME] [--speed]
// Every run that ended stands in OUT/runs.jsonl and is not done again. With --speed the runs of the best rates are timed, in turns;
// that wants a machine with nothing else to do. At the end, bench/results/peft-study.json, and the table of docs/peft.md.
import { spawn, spawnSync } from 'node:child_process'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { median } from '../../bench/median.mjs'
import { writeProblems } from '../../examples/quickstart/generate.mjs'
import { accuracy, score } from '../../examples/quickstart/score.mjs'
import { arms } from './methods.mjs'
import { writeTable } from './table.mjs'

/**
 * @typedef {{ arm: string, rate: number, steps: number, loss: number, correct: number, total: number, trainable: number, bytes: number }} Run
 * @typedef {{ arm: string, tokensPerSecond: number, peakMiB: number }} Timed
 */

const root = fileURLToPath(new URL('../..', import.meta.url))
const { values } = parseArgs({
  options: {
    steps: { type: 'string', default: '250' },
    test: { type: 'string', default: '200' },
    out: { type: 'string', default: join(root, 'runs/peft-study') },
    /** One arm alone. */
    only: { type: 'string' },
    speed: { type: 'boolean', default: false },
    /** Rounds of the timed runs. */
    rounds: { type: 'string', default: '3' },
  },
})
const { out } = values
const steps = Number(values.steps)
const ift = join(root, 'packages/cli/bin/ift.js')
const quickstart = join(root, 'examples/quickstart')

/** @template T @param {string} file @returns {T[]} */
const readLines = (file) =>
  existsSync(file)
    ? readFileSync(file, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line))
    : []

/** Bytes of the files of a folder. @param {string} dir */
const sizeOf = (dir) =>
  readdirSync(dir)
    .filter((name) => /\.(safetensors|bin)$/.test(name))
    .reduce((sum, name) => sum + statSync(join(dir, name)).size, 0)

/**
 * Writes the config of a run.
 * @param {string} dir @param {import('./methods.mjs').Arm} arm @param {number} rate @param {number} maxSteps
 */
const writeConfig = (dir, arm, rate, maxSteps) => {
  const base = JSON.parse(readFileSync(join(quickstart, 'ift.config.json'), 'utf8'))
  mkdirSync(dir, { recursive: true })
  const config = {
    ...base,
    weights: join(quickstart, 'model'),
    data: [join(out, 'problems/train-cot.jsonl')],
    peft: arm.peft,
    train: { ...base.train, maxSteps, learningRate: rate, logEvery: 1 },
    output: join(dir, 'run'),
  }
  writeFileSync(join(dir, 'ift.config.json'), JSON.stringify(config, null, 2))
}

/** Runs a verb, which must succeed; its largest resident set in MiB, and what it printed. @param {string[]} args */
const run = async (args) => {
  const child = spawn(process.execPath, [ift, ...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  child.stdout.on('data', (text) => (said += text))
  child.stderr.on('data', (text) => (said += text))
  let peakMiB = 0
  const watch = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
      // One that has just ended has no memory.
      peakMiB = Math.max(peakMiB, Number(/VmHWM:\s*(\d+)/.exec(status)?.[1] ?? 0) / 1024)
    } catch {
      // It has just ended.
    }
  }, 100)
  const code = await new Promise((resolve) => child.on('close', resolve))
  clearInterval(watch)
  if (code !== 0) throw new Error(`ift ${args.join(' ')} ended with ${code}:\n${said}`)
  return { peakMiB, said }
}

/** @param {string} dir @returns {{ loss: number, tokensPerSecond: number }[]} */
const trainRecords = (dir) =>
  readLines(join(dir, 'run/metrics.jsonl'))
    .filter(({ kind }) => kind === 'train')
    .map(({ values }) => values)

mkdirSync(out, { recursive: true })
const { test } = writeProblems({
  out: join(out, 'problems'),
  seed: 0,
  train: 6000,
  test: Number(values.test),
})
const wanted = arms.filter(({ name }) => values.only === undefined || name === values.only)
const runsFile = join(out, 'runs.jsonl')

for (const arm of wanted)
  for (const rate of arm.rates) {
    const known = /** @type {Run[]} */ (readLines(runsFile))
    if (known.some((done) => done.arm === arm.name && done.rate === rate && done.steps === steps)) continue
    const dir = join(out, `${arm.name}-${rate}`.replace(/[^\w.-]+/g, '-'))
    rmSync(dir, { recursive: true, force: true })
    writeConfig(dir, arm, rate, steps)
    const started = performance.now()
    await run(['train', '-c', dir])
    const whole = arm.peft['method'] === 'none'
    const made = join(dir, 'run', whole ? 'model' : 'adapter')
    const answers = join(dir, 'answers.jsonl')
    const model = whole ? ['--weights', made] : ['--adapter', made]
    await run(['predict', '-c', dir, '--input', test, '--output', answers, '--batch', '100', ...model])
    const outputs = readLines(answers).map(({ generate }) => generate)
    const { correct, total } = score(readLines(test), outputs).all
    const losses = trainRecords(dir)
      .slice(-20)
      .map(({ loss }) => loss)
    const { trainable } = JSON.parse(
      spawnSync(process.execPath, [ift, 'plan', '-c', dir, '--json'], { encoding: 'utf8' }).stdout,
    )
    const loss = losses.reduce((sum, one) => sum + one, 0) / losses.length
    /** @type {Run} */
    const result = { arm: arm.name, rate, steps, loss, correct, total, trainable, bytes: sizeOf(made) }
    appendFileSync(runsFile, `${JSON.stringify(result)}\n`)
    const seconds = Math.round((performance.now() - started) / 1000)
    console.log(
      `${arm.name}, rate ${rate}: loss ${loss.toFixed(4)}, ${(100 * accuracy({ correct, total })).toFixed(1)} %, ${seconds} s`,
    )
  }

/** The run of the rate that solves most. @param {import('./methods.mjs').Arm} arm @returns {Run | undefined} */
const best = ({ name, rates }) =>
  /** @type {Run[]} */ (readLines(runsFile))
    .filter((done) => done.arm === name && done.steps === steps && rates.includes(done.rate))
    .sort((a, b) => b.correct - a.correct || a.loss - b.loss)[0]

const timedFile = join(out, 'timed.jsonl')
if (values.speed) {
  rmSync(timedFile, { force: true })
  for (let round = 0; round < Number(values.rounds); round++)
    for (const arm of wanted) {
      const chosen = best(arm)
      if (!chosen) continue
      const dir = join(out, 'timed')
      rmSync(dir, { recursive: true, force: true })
      writeConfig(dir, { ...arm, peft: { ...arm.peft, ...arm.timed } }, chosen.rate, 12)
      const { peakMiB } = await run(['train', '-c', dir])
      const speeds = trainRecords(dir).slice(4)
      const tokensPerSecond = median(speeds.map((record) => record.tokensPerSecond))
      appendFileSync(timedFile, `${JSON.stringify({ arm: arm.name, tokensPerSecond, peakMiB })}\n`)
    }
}

const timed = /** @type {Timed[]} */ (readLines(timedFile))
const rows = arms.flatMap((arm) => {
  const chosen = best(arm)
  if (!chosen) return []
  const times = timed.filter((one) => one.arm === arm.name)
  return [
    {
      ...chosen,
      options: arm.peft,
      rates: arm.rates,
      tokensPerSecond: times.length ? Math.round(median(times.map((one) => one.tokensPerSecond))) : null,
      peakMiB: times.length ? Math.round(median(times.map((one) => one.peakMiB))) : null,
    },
  ]
})
const study = {
  date: new Date().toISOString().slice(0, 10),
  machine: `${cpus().length} cores, ${cpus()[0]?.model}`,
  node: process.version,
  steps,
  test: Number(values.test),
  rows,
}
writeFileSync(join(root, 'bench/results/peft-study.json'), `${JSON.stringify(study, null, 2)}\n`)
writeTable(root, study)
