// @ts-check
// The LoRA run that is timed: what is asked on the command line, the tokens, the config.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { modelFolder } from './shapes.mjs'

/** Options of the command line, for `parseArgs`. */
export const runOptions = /** @type {const} */ ({
  model: { type: 'string', default: 'smollm2-135m' },
  dtype: { type: 'string', default: 'bf16' },
  quantize: { type: 'string', default: 'none' },
  batch: { type: 'string', default: '2' },
  seq: { type: 'string', default: '256' },
  steps: { type: 'string', default: '5' },
  warmup: { type: 'string', default: '2' },
  rank: { type: 'string', default: '8' },
  threads: { type: 'string', default: String(availableParallelism()) },
  recompute: { type: 'string', default: 'none' },
})

/** @typedef {Record<keyof typeof runOptions, string>} RunValues */

/** The numbers of a run; all are at least 1. @param {RunValues} values */
export function sizesOf(values) {
  const names = /** @type {const} */ (['batch', 'seq', 'steps', 'warmup', 'rank', 'threads'])
  const [batch = 0, seq = 0, steps = 0, warmup = 0, rank = 0, threads = 0] = names.map((name) => {
    const size = Number(values[name])
    if (!Number.isInteger(size) || size < 1)
      throw new Error(`--${name} ${values[name]}: a whole number from 1 on`)
    return size
  })
  return { batch, seq, steps, warmup, rank, threads, total: warmup + steps }
}

/** @typedef {ReturnType<typeof sizesOf>} RunSizes */

/** A folder that is gone when the process ends. */
export function scratchFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'ift-bench-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A source of data: sequences of random tokens for every step. @param {string} folder @param {RunSizes} sizes */
export function randomTokens(folder, { seq, batch, total }) {
  let state = 7
  // Ids of the small tokenizer that the folder has; the head still works on the whole vocabulary.
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return 3 + ((state >>> 8) % 2045)
  }
  const line = () => JSON.stringify({ ids: Array.from({ length: seq }, next) })
  const path = join(folder, 'random.jsonl')
  writeFileSync(path, Array.from({ length: total * batch }, line).join('\n'))
  return { path, format: /** @type {const} */ ('tokenized') }
}

/**
 * LoRA on all linear layers, every token learned.
 * @param {RunValues} values
 * @param {RunSizes} sizes
 * @param {string} output
 * @returns {import('@ift/core').IftConfig}
 */
export function loraConfig(values, { batch, seq, rank, threads, total }, output) {
  const weights = modelFolder(values.model)
  return {
    weights,
    // Named: then it may have fewer ids than the model, as the small one has that random weights come with.
    tokenizer: weights,
    device: 'cpu',
    threads,
    dtype: /** @type {'bf16' | 'f32'} */ (values.dtype),
    quantize: /** @type {'none' | 'nf4' | 'int8'} */ (values.quantize),
    template: 'alpaca',
    maxLength: seq,
    trainOn: 'all',
    peft: { method: 'lora', r: rank, alpha: 16, dropout: 0, targetModules: 'all-linear' },
    train: {
      maxSteps: total,
      batchSize: batch,
      microBatchTokens: batch * seq,
      learningRate: 1e-4,
      schedule: 'constant',
      warmupSteps: 0,
      recompute: values.recompute === 'all' ? 'all' : 'none',
      evalEvery: 0,
      saveEvery: 0,
      seed: 0,
    },
    output,
  }
}
