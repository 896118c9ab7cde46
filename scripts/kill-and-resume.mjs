#!/usr/bin/env node
// @ts-check
// Kills runs with SIGKILL at random moments, goes on with them, and compares what they end with.
//   node scripts/kill-and-resume.mjs [--kills 500] [--seed 1] [--keep]
// A third of the kills comes at any moment of the command, a third while a checkpoint is written, a third while one is pruned. One line of JSON on stdout;
// exit 1 when a run was lost, ended with another adapter, or left something behind.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '500' },
    seed: { type: 'string', default: '1' },
    /** Keep the folder. */
    keep: { type: 'boolean', default: false },
  },
})
const wanted = Number(values.kills)
const root = fileURLToPath(new URL('..', import.meta.url))
const steps = 20

let state = Number(values.seed) >>> 0
/** Uniform in [0, 1). */
const random = () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  return state / 2 ** 32
}

mkdirSync(join(root, 'runs'), { recursive: true })
const dir = mkdtempSync(join(root, 'runs', 'kill-'))
const data = Array.from({ length: 40 }, (_, i) => ({ instruction: `say ${i}`, output: `number ${i}` }))
writeFileSync(join(dir, 'data.jsonl'), data.map((row) => JSON.stringify(row)).join('\n'))
writeFileSync(
  join(dir, 'ift.config.json'),
  JSON.stringify({
    weights: join(root, 'fixtures/bloom/tiny'),
    data: ['data.jsonl'],
    device: 'cpu',
    template: 'alpaca',
    validation: { size: 4 },
    peft: { method: 'lora', r: 4, dropout: 0.1 },
    train: { batchSize: 8, maxSteps: steps, saveEvery: 2, evalEvery: 5, keepCheckpoints: 2 },
  }),
)

/** @param {string} output @param {boolean} resume */
const start = (output, resume) => {
  const args = ['train', '-c', dir, '--output', output, ...(resume ? ['--resume'] : [])]
  const child = spawn(process.execPath, [join(root, 'packages/cli/bin/ift.js'), ...args], {
    cwd: dir,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, NO_COLOR: '1' },
  })
  let said = ''
  child.stderr.on('data', (piece) => (said += piece))
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, said }))
  return { child, ended }
}

/** @param {string} path */
const list = (path) => (existsSync(path) ? readdirSync(path) : [])
/** Newest checkpoint of a run. @param {string} output */
const newest = (output) =>
  Math.max(
    0,
    ...list(join(dir, output, 'checkpoints')).map((name) => Number(/^step-(\d+)$/.exec(name)?.[1] ?? 0)),
  )

/** Files that a finished run must not have. @param {string} output */
const leftovers = (output) =>
  [...list(join(dir, output)), ...list(join(dir, output, 'checkpoints'))].filter(
    (name) => name.startsWith('.') || name.includes('.lock') || name.endsWith('.tmp'),
  )

/** @param {string} output */
const adapter = (output) => readFileSync(join(dir, output, 'adapter/adapter_model.safetensors'))

const begun = performance.now()
const straight = await start('straight', false).ended
if (straight.code !== 0) throw new Error(`the run without kills failed: ${straight.said}`)
const duration = performance.now() - begun

/** @type {Record<string, number>} */
const moments = { starting: 0, training: 0, saving: 0, pruning: 0, ending: 0 }
/** @type {{ run: string, fault: string }[]} */
const faults = []
const result = { kills: 0, runs: 0, lost: 0, different: 0, leftovers: 0, lines: 0 }

/** Where a run was when it was killed, by what it left. @param {string} output */
const momentOf = (output) => {
  const hidden = list(join(dir, output, 'checkpoints')).filter((name) => name.startsWith('.'))
  const step = newest(output)
  const saving = hidden.some((name) => Number(/^\.step-(\d+)\./.exec(name)?.[1]) > step)
  if (saving) return 'saving'
  if (hidden.length > 0) return 'pruning'
  if (step === 0) return 'starting'
  return step === steps ? 'ending' : 'training'
}

/** Kills a run at a random moment; false when it ended first. @param {string} output @param {ReturnType<typeof start>} run */
async function kill(output, { child, ended }) {
  const over = () => child.exitCode !== null || child.signalCode !== null
  const aim = Math.floor(random() * 3)
  const hidden = () =>
    list(join(dir, output, 'checkpoints')).flatMap((name) => Number(/^\.step-(\d+)\./.exec(name)?.[1] ?? NaN))
  // From the moment that the folder of a step appears which is drawn, or that one that was pruned is moved away.
  const from = newest(output)
  const step = from + 2 * Math.ceil((random() * (steps - from)) / 2)
  const seen = () =>
    aim === 1
      ? hidden().includes(step) || newest(output) >= step
      : newest(output) >= step && hidden().some((pruned) => pruned < step)
  if (aim === 0) await Promise.race([ended, sleep(random() * duration)])
  else {
    while (!over() && !seen()) await new Promise((resolve) => setImmediate(resolve))
    const until = performance.now() + random() * (aim === 1 ? 8 : 1)
    while (performance.now() < until);
  }
  if (over()) return false
  child.kill('SIGKILL')
  const { signal } = await ended
  if (signal !== 'SIGKILL') return false
  result.kills++
  const moment = momentOf(output)
  moments[moment] = (moments[moment] ?? 0) + 1
  return true
}

while (result.kills < wanted) {
  const output = `run-${result.runs++}`
  /** @param {string} fault */
  const blame = (fault) => void faults.push({ run: output, fault })
  let killed = true
  let last = ''
  // Each run dies up to four times before it may end.
  for (let life = 0; killed; life++) {
    const step = newest(output)
    let run = start(output, step > 0)
    killed = life < 4 && result.kills < wanted && (await kill(output, run))
    const { code, said } = await run.ended
    last = said
    if (killed) {
      if (newest(output) < step) {
        result.lost++
        blame(`killed at a run from step ${step}, which has ${newest(output)} now`)
      }
      continue
    }
    if (code !== 0 || (step > 0 && !said.includes(`step-${step}\n`))) {
      result.lost++
      blame(said)
    }
  }
  if (!existsSync(join(dir, output, 'adapter')) || !adapter(output).equals(adapter('straight'))) {
    result.different++
    blame(`the adapter is another: ${last}`)
  }
  const left = leftovers(output)
  if (left.length > 0) {
    result.leftovers += left.length
    blame(`left behind: ${left.join(' ')}`)
  }
  const logged = readFileSync(join(dir, output, 'metrics.jsonl'), 'utf8')
    .split('\n')
    .flatMap((line) => (line.includes('"train"') ? [JSON.parse(line).step] : []))
  if (logged.join() !== Array.from({ length: steps }, (_, i) => i + 1).join()) {
    result.lines++
    blame(`metrics.jsonl has the steps ${logged.join()}`)
  }
  rmSync(join(dir, output), { recursive: true, force: true })
  if (process.stderr.isTTY) process.stderr.write(`\r${result.kills}/${wanted}`)
}

for (const { run, fault } of faults) process.stderr.write(`${run}: ${fault}\n`)
const seconds = Math.round((performance.now() - begun) / 1000)
process.stdout.write(`${JSON.stringify({ ...result, moments, steps, seed: Number(values.seed), seconds })}\n`)
if (!values.keep) rmSync(dir, { recursive: true, force: true })
process.exitCode = faults.length > 0 ? 1 : 0
