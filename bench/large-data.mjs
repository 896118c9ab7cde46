// @ts-check
// A file of rows that is larger than memory, made, tokenised and planned by ift in a process of its own, and once more from what was kept: seconds and
// peak memory of each.
//   node bench/large-data.mjs [--gb 5] [--dir FOLDER] [--out FILE]
// The folder needs twice the size of the file. Tokenizer and chat template are those of SmolLM2-135M-Instruct
// (scripts/real-models/fetch smollm2-135m-instruct).
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  createWriteStream,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { cpus, loadavg, tmpdir, totalmem } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { realModel } from '../scripts/real-models/cache.mjs'
import { rowMaker } from './text-rows.mjs'

const { values } = parseArgs({
  options: {
    gb: { type: 'string', default: '5' },
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
  const { createPacker, Ift } = await import(pathToFileURL(join(root, 'packages/core/dist/index.js')).href)
  const config = {
    ...{ weights, template: 'chat', maxLength: 2048, data: [{ path }], validation: { size: 1000 } },
    train: { epochs: 3, batchSize: 128 },
  }
  const ift = await Ift.load({ cwd: dirname(path), config })
  const { data } = await ift.openData()
  const { seed, shuffle, batchSize: samplesPerStep } = ift.config.train
  const packer = createPacker(data.train, { seed, shuffle, samplesPerStep, microBatchTokens: 4096 })
  const steps = packer.steps(3)
  const open_rss_mib = process.memoryUsage().rss / 2 ** 20
  // What training reads: shuffled samples, in micro-batches.
  const start = performance.now()
  for (let step = 0; step < 100; step++) packer.step()
  const { user, system } = process.cpuUsage()
  console.log(
    JSON.stringify({
      ...{ rows: data.train.count, tokens: data.datasets.reduce((sum, { store }) => sum + store.tokens, 0) },
      ...{ steps, step_ms: (performance.now() - start) / 100 },
      ...{ cpu_seconds: (user + system) / 1e6, open_rss_mib },
      peak_rss_mib: process.resourceUsage().maxRSS / 1024,
    }),
  )
  await ift.close()
}

async function measure() {
  const scratch = mkdtempSync(join(values.dir, 'ift-large-'))
  process.on('exit', () => rmSync(scratch, { recursive: true, force: true }))
  // Where the model's family is found.
  symlinkSync(join(root, 'node_modules'), join(scratch, 'node_modules'))
  const path = join(scratch, 'rows.jsonl')
  const start = performance.now()
  const rows = await writeLarge(path, Number(values.gb) * 1e9)
  console.log(`${rows} rows in ${((performance.now() - start) / 1000).toFixed(0)} s`)
  const turns = ['cold', 'again'].map((name) => {
    const begun = performance.now()
    const load = +(loadavg()[0] ?? 0).toFixed(1)
    const { status, stdout } = spawnSync(process.execPath, [fileURLToPath(import.meta.url), '--turn', path], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    if (status !== 0) throw new Error(`${name}: ended with ${status}`)
    const seconds = +((performance.now() - begun) / 1000).toFixed(1)
    const result = { name, seconds, load, ...JSON.parse(stdout.trim().split('\n').at(-1) ?? '') }
    console.log(result)
    return result
  })
  const kept = join(scratch, '.ift-cache')
  const store_bytes = readdirSync(kept).reduce((sum, name) => sum + statSync(join(kept, name)).size, 0)
  if (!values.out) return
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length, memory: totalmem(), node: process.version }
  mkdirSync(dirname(values.out), { recursive: true })
  const bytes = statSync(path).size
  const text = JSON.stringify(
    { bench: basename(import.meta.url), bytes, rows, store_bytes, machine, turns },
    null,
    1,
  )
  writeFileSync(values.out, `${text}\n`)
}

await (values.turn === undefined ? measure() : turn(values.turn))
