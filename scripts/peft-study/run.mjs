#!/usr/bin/env node
// @ts-check
// What each method is worth: trains all of them on the quick start's task with the same rows in the same order, with three learning
// rates each, of which the one with the lowest training loss counts, and measures speed and memory of each.
//   node scripts/peft-study/run.mjs [--out runs/peft-study] [--only NAME]
//   node scripts/peft-study/run.mjs --speed    on a machine with nothing else to do: twelve steps of each, in turns
// Every run that ended stands in OUT/runs.jsonl and is not done again. When nothing is missing, bench/results/peft-study.json and the
// table of docs/peft.md are written.
import { spawn } from 'node:child_process'
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
 * @typedef {{ arm: string, options: object, rate: number, loss: number, correct: number, total: number, trainable: number, bytes: number }} Run
 * @typedef {{ arm: string, options: object, date: string, machine: string, node: string, tokensPerSecond: number, peakMiB: number }} Timed
 */

const root = fileURLToPath(new URL('../..', import.meta.url))
const { values } = parseArgs({
  options: {
    out: { type: 'string', default: join(root, 'runs/peft-study') },
    /** One method alone. */
    only: { type: 'string' },
    speed: { type: 'boolean', default: false },
  },
})
const { out, only, speed } = values
if (only !== undefined && (speed || !arms.some(({ name }) => name === only)))
  throw new Error(`--only expected one of ${arms.map(({ name }) => name).join(', ')}, without --speed`)
/** Optimiser steps of a run, and problems that are held out. */
const [steps, held] = [250, 200]
/** Steps whose speed is measured, after some for warming up, and rounds of all methods. */
const [timedSteps, warmUp, rounds] = [12, 4, 3]
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

const base = JSON.parse(readFileSync(join(quickstart, 'ift.config.json'), 'utf8'))
const rowsPerStep = base.train.batchSize

/**
 * Writes the config of a run.
 * @param {string} dir @param {import('./methods.mjs').Arm} arm @param {number} rate @param {number} maxSteps
 */
const writeConfig = (dir, arm, rate, maxSteps) => {
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

/** Runs a verb, which must succeed; its largest resident set in MiB, and its output. @param {string[]} args */
const run = async (args) => {
  const child = spawn(process.execPath, [ift, ...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  let [output, errors] = ['', '']
  child.stdout.on('data', (text) => (output += text))
  child.stderr.on('data', (text) => (errors += text))
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
  if (code !== 0) throw new Error(`ift ${args.join(' ')} ended with ${code}:\n${output}${errors}`)
  return { peakMiB, output }
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
  test: held,
})
const runsFile = join(out, 'runs.jsonl')

/** What was written of an arm with its options of now. @param {string} file @param {import('./methods.mjs').Arm} arm */
const known = (file, { name, peft }) =>
  /** @type {{ arm: string, options: object }[]} */ (readLines(file)).filter(
    (one) => one.arm === name && JSON.stringify(one.options) === JSON.stringify(peft),
  )

/** @param {import('./methods.mjs').Arm} arm */
const runsOf = (arm) => /** @type {Run[]} */ (known(runsFile, arm))

const here = {
  date: new Date().toISOString().slice(0, 10),
  machine: `${cpus().length} cores, ${cpus()[0]?.model}`,
  node: process.version,
}

for (const arm of arms.filter(({ name }) => !speed && (only === undefined || name === only)))
  for (const rate of arm.rates) {
    if (runsOf(arm).some((done) => done.rate === rate)) continue
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
    const { trainable } = JSON.parse((await run(['plan', '-c', dir, '--json'])).output)
    const loss = losses.reduce((sum, one) => sum + one, 0) / losses.length
    /** @type {Run} */
    const result = {
      arm: arm.name,
      options: arm.peft,
      rate,
      loss,
      correct,
      total,
      trainable,
      bytes: sizeOf(made),
    }
    appendFileSync(runsFile, `${JSON.stringify(result)}\n`)
    const seconds = Math.round((performance.now() - started) / 1000)
    console.log(
      `${arm.name}, rate ${rate}: loss ${loss.toFixed(4)}, ${(100 * accuracy({ correct, total })).toFixed(1)} %, ${seconds} s`,
    )
  }

/** The run of the best rate; undefined while one is missing. @param {import('./methods.mjs').Arm} arm */
const best = (arm) => {
  const runs = runsOf(arm).filter(({ rate }) => arm.rates.includes(rate))
  return runs.length < arm.rates.length ? undefined : runs.sort((a, b) => a.loss - b.loss)[0]
}

const timedFile = join(out, 'timed.jsonl')
if (speed) {
  rmSync(timedFile, { force: true })
  for (let round = 0; round < rounds; round++)
    for (const arm of arms) {
      const chosen = best(arm)
      if (!chosen) throw new Error(`${arm.name}: run the study first, without --speed`)
      const dir = join(out, 'timed')
      rmSync(dir, { recursive: true, force: true })
      writeConfig(dir, { ...arm, peft: { ...arm.peft, ...arm.timed } }, chosen.rate, timedSteps)
      const { peakMiB } = await run(['train', '-c', dir])
      const speeds = trainRecords(dir).slice(warmUp)
      const tokensPerSecond = median(speeds.map((record) => record.tokensPerSecond))
      /** @type {Timed} */
      const result = { arm: arm.name, options: arm.peft, ...here, tokensPerSecond, peakMiB }
      appendFileSync(timedFile, `${JSON.stringify(result)}\n`)
    }
}

const rows = arms.flatMap((arm) => {
  const chosen = best(arm)
  const times = /** @type {Timed[]} */ (known(timedFile, arm))
  if (!chosen || times.length < rounds) return []
  return [
    {
      ...chosen,
      rates: arm.rates,
      tokensPerSecond: Math.round(median(times.map((one) => one.tokensPerSecond))),
      peakMiB: Math.round(median(times.map((one) => one.peakMiB))),
    },
  ]
})
if (rows.length === arms.length) {
  const { date, machine, node } = /** @type {Timed} */ (readLines(timedFile)[0])
  const study = { date, machine, node, steps, rowsPerStep, held, timedSteps, rounds, rows }
  writeFileSync(join(root, 'bench/results/peft-study.json'), `${JSON.stringify(study, null, 2)}\n`)
  writeTable(root, study)
} else console.log(`${rows.length} of ${arms.length} methods are whole; nothing is written yet`)
