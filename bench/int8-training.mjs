// @ts-check
// What a base in int8 costs: LoRA on SmolLM2-135M-Instruct over rows of instructions, from the same seeds with quantize none and int8; the
// validation loss of each run, and that of its adapter on the exact base.
//   node bench/int8-training.mjs ROWS.json… [--steps 300] [--batch 2] [--held 30] [--seeds 1,2,3] [--rate 2e-4] [--dtype bf16] [--threads 2] [--out FILE]
// ROWS: files of Alpaca rows, of which --held are held out. The model comes by scripts/real-models/fetch smollm2-135m-instruct. Two minutes
// a seed on two cores that do nothing else.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Ift, version } from '@ift/core'
import { realModel } from '../scripts/real-models/cache.mjs'
import { loadNow, machine } from './machine.mjs'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    steps: { type: 'string', default: '300' },
    batch: { type: 'string', default: '2' },
    held: { type: 'string', default: '30' },
    seeds: { type: 'string', default: '1,2,3' },
    rate: { type: 'string', default: '2e-4' },
    dtype: { type: 'string', default: 'bf16' },
    threads: { type: 'string', default: String(availableParallelism()) },
    out: { type: 'string' },
    // One run, in a process of its own.
    turn: { type: 'string' },
    seed: { type: 'string', default: '0' },
    folder: { type: 'string', default: '' },
  },
})
if (positionals.length === 0) {
  console.error('node bench/int8-training.mjs ROWS.json…: files of Alpaca rows')
  process.exit(2)
}
const here = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url))
const model = realModel('smollm2-135m-instruct') ?? ''
if (model === '') throw new Error('scripts/real-models/fetch smollm2-135m-instruct')
const weights = join(model, readdirSync(model).find((name) => name.endsWith('.gguf')) ?? '')
const longest = 256

/** @typedef {'none' | 'int8'} Base */
/** @typedef {{ loss: number, on_exact_base: number, trained_loss: number, tokens_per_s: number }} Found */

/** @param {Base} quantize @param {string} output @param {string} [adapter] @returns {import('@ift/core').IftConfig} */
const configOf = (quantize, output, adapter) => ({
  weights,
  ...(adapter !== undefined && { adapter }),
  data: positionals.map((path) => ({ path: resolve(path) })),
  validation: { size: Number(values.held), seed: 1 },
  template: 'chat',
  device: 'cpu',
  quantize,
  threads: Number(values.threads),
  dtype: /** @type {'bf16' | 'f32'} */ (values.dtype),
  maxLength: longest,
  ...(adapter === undefined && { peft: { method: 'lora', r: 8, alpha: 16, targetModules: 'all-linear' } }),
  output,
  train: {
    ...{ batchSize: Number(values.batch), maxSteps: Number(values.steps), learningRate: Number(values.rate) },
    ...{ schedule: 'cosine', warmupSteps: 10, evalEvery: 0, saveEvery: 0, seed: Number(values.seed) },
    microBatchTokens: Number(values.batch) * longest,
  },
})

/** @param {Base} quantize @returns {Promise<Found>} */
async function run(quantize) {
  const output = join(values.folder, `${quantize}-${values.seed}`)
  const ift = await Ift.load({ cwd: here('..'), config: configOf(quantize, output) })
  const training = await ift.createTraining()
  /** @type {{ loss: number, tokens: number, at: number }[]} */
  const done = []
  training.trainer.hooks.log.tap('bench', ({ kind, values: { loss = 0, tokens = 0 } }) => {
    if (kind === 'train') done.push({ loss, tokens, at: performance.now() })
  })
  await training.run()
  const { loss } = await training.trainer.evaluate()
  await ift.close()
  let exact = loss
  if (quantize !== 'none') {
    const again = await Ift.load({
      cwd: here('..'),
      config: configOf('none', join(values.folder, `exact-${values.seed}`), join(output, 'adapter')),
    })
    exact = (await (await again.createTraining()).trainer.evaluate()).loss
    await again.close()
  }
  const last = done.slice(-20)
  const seconds = ((done.at(-1)?.at ?? 0) - (done[1]?.at ?? 0)) / 1000
  return {
    loss: Number(loss.toFixed(4)),
    on_exact_base: Number(exact.toFixed(4)),
    trained_loss: Number((last.reduce((sum, one) => sum + one.loss, 0) / last.length).toFixed(4)),
    tokens_per_s: Number((done.slice(2).reduce((sum, one) => sum + one.tokens, 0) / seconds).toFixed(0)),
  }
}

if (values.turn === 'none' || values.turn === 'int8') {
  process.stdout.write(`${JSON.stringify(await run(values.turn))}\n`)
} else {
  const load = loadNow()
  const folder = mkdtempSync(join(tmpdir(), 'ift-int8-training-'))
  /** @param {Base} turn @param {string} seed @returns {Found} */
  const own = (turn, seed) =>
    JSON.parse(
      execFileSync(
        process.execPath,
        [
          fileURLToPath(import.meta.url),
          ...process.argv.slice(2),
          '--turn',
          turn,
          '--seed',
          seed,
          '--folder',
          folder,
        ],
        { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
      )
        .trim()
        .split('\n')
        .at(-1) ?? '',
    )
  try {
    const runs = values.seeds.split(',').map((seed) => {
      const [plain, int8] = [own('none', seed), own('int8', seed)]
      const difference = Number((int8.loss - plain.loss).toFixed(4))
      console.error(JSON.stringify({ seed, plain, int8, difference }))
      return { seed: Number(seed), plain, int8, difference }
    })
    const found = {
      work: 'LoRA on SmolLM2-135M-Instruct: a base in the dtype, and one in int8',
      ...{
        steps: Number(values.steps),
        batch: Number(values.batch),
        dtype: values.dtype,
        held: Number(values.held),
      },
      ...{ learning_rate: Number(values.rate), rows: positionals.map((path) => basename(path)) },
      mean_difference: Number(
        (runs.reduce((sum, { difference }) => sum + difference, 0) / runs.length).toFixed(4),
      ),
      runs,
      ...{ versions: { ift: version, node: process.version } },
      ...{ machine: machine(load), date: new Date().toISOString().slice(0, 10) },
    }
    if (values.out !== undefined) writeFileSync(values.out, `${JSON.stringify(found, null, 2)}\n`)
    console.log(JSON.stringify(found))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
