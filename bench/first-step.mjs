// @ts-check
// From the command to the first optimiser step over a large file of rows of which nothing is kept: seconds, processor seconds and peak memory of
// `ift train` with the model of the quick start, which takes next to no time itself. Linux.
//   node bench/first-step.mjs [--rows 1000000] [--rounds 3] [--modes auto,never] [--dir FOLDER] [--out FILE]
// --modes: values of train.startAtOnce; never tokenises all rows before the first step.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { median } from './median.mjs'
import { writeRows } from './text-rows.mjs'

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '3' },
    modes: { type: 'string', default: 'auto' },
    dir: { type: 'string', default: tmpdir() },
    out: { type: 'string' },
  },
})
const root = fileURLToPath(new URL('..', import.meta.url))
const scratch = mkdtempSync(join(values.dir, 'ift-first-step-'))
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }))
// Where the packages of model and method are found.
symlinkSync(join(root, 'node_modules'), join(scratch, 'node_modules'))
const rows = join(scratch, 'rows.jsonl')
await writeRows(rows, Number(values.rows))
writeFileSync(
  join(scratch, 'ift.config.json'),
  JSON.stringify({
    ...{ weights: join(root, 'examples/quickstart/model'), initialize: true, device: 'cpu' },
    ...{ data: [{ path: './rows.jsonl' }], template: 'alpaca', maxLength: 160, dtype: 'f32' },
    peft: { method: 'lora', r: 4 },
    train: { batchSize: 16, epochs: 1, logEvery: 1, saveEvery: 0, evalEvery: 0 },
  }),
)

/** Processor seconds and peak memory of a process so far, in ticks of 10 ms as Linux counts them. */
function usageOf(/** @type {number} */ pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return {
    cpu_seconds: (Number(fields[11]) + Number(fields[12])) / 100,
    peak_rss_mib: Math.round(Number(peak?.[1]) / 1024),
  }
}

async function round(/** @type {string} */ mode) {
  for (const name of ['.ift-cache', 'run']) rmSync(join(scratch, name), { recursive: true, force: true })
  const load = +(loadavg()[0] ?? 0).toFixed(1)
  const begun = performance.now()
  const child = spawn(
    process.execPath,
    [join(root, 'packages/cli/bin/ift.js'), 'train', '--output', 'run', '--train.startAtOnce', mode],
    { cwd: scratch, stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let said = ''
  child.stderr.on('data', (text) => (said += String(text)))
  const ended = once(child, 'close')
  const metrics = join(scratch, 'run/metrics.jsonl')
  while (!existsSync(metrics) || statSync(metrics).size === 0) {
    if (child.exitCode !== null) throw new Error(said)
    await sleep(10)
  }
  const seconds = +((performance.now() - begun) / 1000).toFixed(2)
  const turn = { mode, seconds, load, ...usageOf(child.pid ?? 0) }
  child.kill('SIGKILL')
  await ended
  console.log(turn)
  return turn
}

/** @type {Awaited<ReturnType<typeof round>>[]} */
const turns = []
for (let i = 0; i < Number(values.rounds); i++)
  for (const mode of values.modes.split(',')) turns.push(await round(mode))
const result = {
  bench: basename(import.meta.url),
  ...{ rows: Number(values.rows), bytes: statSync(rows).size },
  machine: { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version },
  medians: values.modes.split(',').map((mode) => {
    const of = turns.filter((turn) => turn.mode === mode)
    return {
      mode,
      seconds: median(of.map(({ seconds }) => seconds)),
      cpu_seconds: median(of.map(({ cpu_seconds }) => cpu_seconds)),
      peak_rss_mib: median(of.map(({ peak_rss_mib }) => peak_rss_mib)),
    }
  }),
  turns,
}
console.table(result.medians)
if (values.out) {
  mkdirSync(dirname(values.out), { recursive: true })
  writeFileSync(values.out, `${JSON.stringify(result, null, 1)}\n`)
} else console.log(JSON.stringify(result))
