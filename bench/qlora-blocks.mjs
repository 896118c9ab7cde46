// @ts-check
// LoRA on the blocks of SmolLM2-135M-Instruct's GGUF file (Q4_1) by ift, beside ift on the same weights written out and PEFT on transformers'
// dequantised ones: the same rows in the same order from the same adapter. Losses as means of 20 steps, tokens in a second, memory.
//   node bench/qlora-blocks.mjs [--steps 200] [--batch 2] [--dtype bf16] [--threads 2] [--out FILE]
// IFT_BENCH_PYTHON names a Python with torch, transformers, peft and gguf; the model comes by scripts/real-models/fetch
// smollm2-135m-instruct. Three minutes on two cores that do nothing else.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Ift } from '@ift/core'
import { realModel } from '../scripts/real-models/cache.mjs'
import { loadNow, machine } from './machine.mjs'

const { values } = parseArgs({
  options: {
    steps: { type: 'string', default: '200' },
    batch: { type: 'string', default: '2' },
    dtype: { type: 'string', default: 'bf16' },
    threads: { type: 'string', default: String(availableParallelism()) },
    out: { type: 'string' },
    // One of ift's runs, in a process of its own.
    turn: { type: 'string' },
    folder: { type: 'string', default: '' },
  },
})
const here = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url))
const weights = realModel('smollm2-135m-instruct') ?? ''
if (weights === '') throw new Error('scripts/real-models/fetch smollm2-135m-instruct')
const steps = Number(values.steps)
const batch = Number(values.batch)
const rate = 2e-4
const longest = 256

/** @typedef {{ losses: number[], tokens_per_s: number | null, peak_rss_mib: number } & Record<string, unknown>} Found */

/** A run of ift, with the frozen weights in blocks (auto) or written out (none). @param {'auto' | 'none'} quantize @returns {Promise<Found>} */
async function train(quantize) {
  const { folder } = values
  const ift = await Ift.load({
    cwd: here('..'),
    config: {
      weights,
      adapter: join(folder, 'initial'),
      data: [join(folder, 'rows.jsonl')],
      template: 'chat',
      device: 'cpu',
      quantize,
      threads: Number(values.threads),
      dtype: /** @type {'bf16' | 'f32'} */ (values.dtype),
      maxLength: longest,
      output: join(folder, `run-${quantize}`),
      train: {
        ...{ batchSize: batch, maxSteps: steps, learningRate: rate, schedule: 'constant', warmupSteps: 0 },
        ...{ weightDecay: 0, shuffle: false, evalEvery: 0, saveEvery: 0, microBatchTokens: batch * longest },
      },
    },
  })
  const training = await ift.createTraining()
  /** @type {{ loss: number, tokens: number, at: number }[]} */
  const done = []
  training.trainer.hooks.log.tap('bench', ({ kind, values: { loss = 0, tokens = 0 } }) => {
    if (kind === 'train') done.push({ loss, tokens, at: performance.now() })
  })
  await training.run()
  const { allocated, peak, mapped } = training.open.backend.memory()
  const held = training.open.quantize
  await ift.close()
  const measured = done.slice(2)
  const seconds = ((done.at(-1)?.at ?? 0) - (done[1]?.at ?? 0)) / 1000
  const tokens = measured.reduce((sum, one) => sum + one.tokens, 0)
  const mib = (/** @type {number} */ bytes) => Math.round(bytes / 2 ** 20)
  return {
    losses: done.map(({ loss }) => Number(loss.toFixed(6))),
    tokens_per_s: seconds > 0 ? Number((tokens / seconds).toFixed(1)) : null,
    peak_rss_mib: Math.round(process.resourceUsage().maxRSS / 1024),
    weights_held: held,
    buffers_mib: { allocated: mib(allocated), peak: mib(peak), mapped: mib(mapped) },
  }
}

if (values.turn === 'auto' || values.turn === 'none') {
  process.stdout.write(`${JSON.stringify(await train(values.turn))}\n`)
} else {
  const load = loadNow()
  const folder = mkdtempSync(join(tmpdir(), 'ift-qlora-blocks-'))
  const result = (/** @type {string} */ command, /** @type {string[]} */ args) =>
    /** @type {Found} */ (
      JSON.parse(
        execFileSync(command, args, {
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'inherit'],
          maxBuffer: 1 << 26,
        })
          .trim()
          .split('\n')
          .at(-1) ?? '',
      )
    )
  try {
    const shared = ['--steps', values.steps, '--batch', values.batch, '--dtype', values.dtype]
    const file = readdirSync(weights).find((name) => name.endsWith('.gguf')) ?? ''
    const peer = result(process.env['IFT_BENCH_PYTHON'] ?? 'python3', [
      ...[here('peers/peft_on_gguf.py'), '--model', weights, '--gguf', file, '--to', folder],
      ...['--texts', here('../examples/quickstart/data/bilingual.jsonl'), '--threads', values.threads],
      ...['--longest', String(longest), '--rate', String(rate), ...shared],
    ])
    const own = (/** @type {string} */ turn) =>
      result(process.execPath, [
        ...[fileURLToPath(import.meta.url), '--turn', turn, '--folder', folder, '--threads', values.threads],
        ...shared,
      ])
    const [blocks, plain] = [own('auto'), own('none')]
    const means = (/** @type {Found} */ { losses }) =>
      Array.from({ length: Math.ceil(steps / 20) }, (_, i) => {
        const some = losses.slice(20 * i, 20 * (i + 1))
        return Number((some.reduce((sum, loss) => sum + loss, 0) / some.length).toFixed(5))
      })
    const [ofPeer, ofBlocks] = [means(peer), means(blocks)]
    const found = {
      work: 'LoRA on SmolLM2-135M-Instruct, Q4_1: blocks of the GGUF file, written-out weights, PEFT',
      ...{ steps, batch, dtype: values.dtype, threads: Number(values.threads), learning_rate: rate },
      largest_difference_of_means: Math.max(
        ...ofPeer.map((mean, i) => Math.abs(mean - (ofBlocks[i] ?? NaN))),
      ),
      blocks_equal_written_out: blocks.losses.every((loss, i) => loss === plain.losses[i]),
      means_of_20_steps: { peft: ofPeer, blocks: ofBlocks },
      results: { blocks, written_out: plain, peft: peer },
      ...{ machine: machine(load), date: new Date().toISOString().slice(0, 10) },
    }
    const { tokens_per_s: fast, peak_rss_mib: memory } = blocks
    console.table({
      blocks: { tokens_per_s: fast, peak_rss_mib: memory, last: ofBlocks.at(-1) },
      'written out': {
        ...{ tokens_per_s: plain.tokens_per_s, peak_rss_mib: plain.peak_rss_mib },
        last: means(plain).at(-1),
      },
      PEFT: { ...{ tokens_per_s: peer.tokens_per_s, peak_rss_mib: peer.peak_rss_mib }, last: ofPeer.at(-1) },
    })
    console.log(`largest difference of means of 20 steps: ${found.largest_difference_of_means.toFixed(5)}`)
    console.log(
      `losses on blocks ${found.blocks_equal_written_out ? 'equal' : 'DIFFER FROM'} those on written-out weights`,
    )
    if (values.out !== undefined) {
      mkdirSync(dirname(values.out), { recursive: true })
      writeFileSync(values.out, `${JSON.stringify(found, null, 1)}\n`)
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
