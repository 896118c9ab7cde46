// @ts-check
// A file of rows that is larger than memory, made, and trained on by ift in shuffled order, in a process of its own: a cold start, and one more
// from what was kept. Seconds to the first step and in all, memory of the process as it goes on, losses.
//   node bench/large-data.mjs [--gb 5] [--steps 200] [--dir FOLDER] [--out FILE]
// The folder needs three times the size of the file. The model is tiny, with the vocabulary of SmolLM2-135M-Instruct, whose tokenizer and chat
// template are used (scripts/real-models/fetch smollm2-135m-instruct).
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { text } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { realModel } from '../scripts/real-models/cache.mjs'
import { loadNow, machine } from './machine.mjs'
import { median } from './median.mjs'
import { modelFolder } from './shapes.mjs'
import { rowMaker } from './text-rows.mjs'

const { values } = parseArgs({
  options: {
    gb: { type: 'string', default: '5' },
    steps: { type: 'string', default: '200' },
    dir: { type: 'string', default: tmpdir() },
    out: { type: 'string' },
    // One turn, in a process of its own: the file of rows.
    turn: { type: 'string' },
  },
})
const root = fileURLToPath(new URL('..', import.meta.url))
const fetched = realModel('smollm2-135m-instruct')
if (fetched === null) throw new Error('scripts/real-models/fetch smollm2-135m-instruct')
const weights = fetched

const built = (/** @type {string} */ name) =>
  pathToFileURL(join(root, 'packages', name, 'dist/index.js')).href

/** Rows that are made; they come again with another number in front. */
const distinct = 50_000

/** @returns {Promise<number>} rows */
async function writeLarge(/** @type {string} */ path, /** @type {number} */ bytes) {
  const row = rowMaker()
  const rows = Array.from({ length: distinct }, row)
  const file = createWriteStream(path)
  let [count, written] = [0, 0]
  while (written < bytes) {
    const { instruction, ...rest } = rows[count % distinct] ?? row()
    const line = `${JSON.stringify({ instruction: `${count++}. ${instruction}`, ...rest })}\n`
    written += Buffer.byteLength(line)
    if (!file.write(line)) await once(file, 'drain')
  }
  file.end()
  await once(file, 'close')
  return count
}

async function turn(/** @type {string} */ path) {
  /** @type {typeof import('@ift/core')} */
  const { Ift } = await import(built('core'))
  const ift = await Ift.load({
    cwd: dirname(path),
    config: {
      weights: modelFolder('tiny-49k'),
      tokenizer: join(dirname(path), 'tokenizer'),
      template: 'chat',
      device: 'cpu',
      maxLength: 2048,
      data: [{ path }],
      validation: { size: 0 },
      peft: { method: 'lora', r: 8, targetModules: 'all-linear' },
      train: { maxSteps: Number(values.steps), batchSize: 8, learningRate: 1e-3, saveEvery: 0, evalEvery: 0 },
      output: join(dirname(path), `run-${process.pid}`),
    },
  })
  const training = await ift.createTraining()
  /** @type {{ at: number, loss: number, tokens: number }[]} */
  const steps = []
  training.trainer.hooks.log.tap('bench', ({ kind, values: { loss = NaN, tokens = 0 } }) => {
    if (kind === 'train') steps.push({ at: performance.now() / 1000, loss, tokens })
  })
  await training.run()
  const { user, system } = process.cpuUsage()
  const [first, last] = [steps[0], steps.at(-1)]
  const mean = (/** @type {typeof steps} */ some) =>
    some.reduce((sum, { loss }) => sum + loss, 0) / some.length
  console.log(
    JSON.stringify({
      steps: steps.length,
      command_to_first_step_s: first?.at,
      command_to_last_step_s: last?.at,
      step_ms: median(steps.slice(1).map(({ at }, i) => 1000 * (at - (steps[i]?.at ?? NaN)))),
      tokens_trained: steps.reduce((sum, { tokens }) => sum + tokens, 0),
      loss_of_ten: [mean(steps.slice(0, 10)), mean(steps.slice(-10))],
      cpu_seconds: (user + system) / 1e6,
      peak_rss_mib: process.resourceUsage().maxRSS / 1024,
    }),
  )
  await ift.close()
}

/** Memory of a process in MiB, its own and that of files (which the system takes back when it needs it); null after its end. @param {number} pid */
function memoryOf(pid) {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const [own, files] = ['RssAnon', 'RssFile'].map((field) =>
      Math.round(Number(new RegExp(`^${field}:\\s*(\\d+)`, 'm').exec(status)?.[1]) / 1024),
    )
    return own === undefined || files === undefined || Number.isNaN(own) ? null : { own, files }
  } catch {
    return null
  }
}

/** Runs a turn, and looks at its memory every second. @param {string} name @param {string} path */
async function watched(name, path) {
  const begun = performance.now()
  const load = loadNow()
  const child = spawn(
    process.execPath,
    [fileURLToPath(import.meta.url), '--turn', path, '--steps', values.steps],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const ended = once(child, 'close')
  const output = text(child.stdout)
  const pid = child.pid ?? 0
  const seconds = () => (performance.now() - begun) / 1000
  /** Seconds, own memory, that of files. @type {[number, number, number][]} */
  const samples = []
  const watching = new AbortController()
  const watch = (async () => {
    while (!watching.signal.aborted) {
      const memory = memoryOf(pid)
      if (memory) samples.push([Math.round(seconds()), memory.own, memory.files])
      await setTimeout(1000, null, { signal: watching.signal }).catch(() => null)
    }
  })()
  const [status] = await ended
  watching.abort()
  await watch
  if (status !== 0) throw new Error(`${name}: ended with ${status}`)
  /** @type {Record<string, unknown>} */
  const counted = JSON.parse((await output).trim().split('\n').at(-1) ?? '')
  const rounded = Object.fromEntries(
    Object.entries(counted).map(([key, value]) => [
      key,
      Array.isArray(value) ? value.map(round) : round(Number(value)),
    ]),
  )
  const every = Math.ceil(samples.length / 60)
  const result = {
    ...{ name, seconds: round(seconds()), load: round(load), ...rounded },
    peak_own_mib: Math.max(...samples.map(([, own]) => own)),
    seconds_own_files_mib: samples.filter((_, i) => i % every === 0),
  }
  console.log(JSON.stringify(result))
  return result
}
const round = (/** @type {number} */ value) => Number(value.toFixed(2))

async function measure() {
  const scratch = mkdtempSync(join(values.dir, 'ift-large-'))
  process.on('exit', () => rmSync(scratch, { recursive: true, force: true }))
  // Where the model's family is found.
  symlinkSync(join(root, 'node_modules'), join(scratch, 'node_modules'))
  const path = join(scratch, 'rows.jsonl')
  const start = performance.now()
  const load = loadNow()
  const rows = await writeLarge(path, Number(values.gb) * 1e9)
  console.log(`${rows} rows in ${((performance.now() - start) / 1000).toFixed(0)} s`)
  modelFolder('tiny-49k')
  /** @type {typeof import('@ift/tokenizers')} */
  const { loadTokenizer } = await import(built('tokenizers'))
  const gguf = readdirSync(weights).find((name) => name.endsWith('.gguf')) ?? ''
  await (await loadTokenizer(join(weights, gguf))).save(join(scratch, 'tokenizer'))
  /** @type {typeof import('@ift/core')} */
  const { version } = await import(built('core'))
  const turns = []
  for (const name of ['cold', 'again']) {
    turns.push(await watched(name, path))
    const kept = join(scratch, '.ift-cache')
    const files = existsSync(kept) ? readdirSync(kept) : []
    const store_bytes = files.reduce((sum, file) => sum + statSync(join(kept, file)).size, 0)
    if (!values.out) continue
    const result = {
      ...{
        bench: basename(import.meta.url),
        model: 'tiny-49k',
        bytes: statSync(path).size,
        rows,
        store_bytes,
      },
      versions: { ift: version, node: process.version },
      ...{ machine: machine(load), date: new Date().toISOString().slice(0, 10), turns },
    }
    // After each turn: what is there stays there.
    mkdirSync(dirname(values.out), { recursive: true })
    writeFileSync(values.out, `${JSON.stringify(result)}\n`)
  }
}

await (values.turn === undefined ? measure() : turn(values.turn))
