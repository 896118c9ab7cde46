import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'

import { Ift, writeAdapter, type IftConfig } from '@ift/core'
import { plugin as llama } from '@ift/model-llama'
import { plugin as lora } from '@ift/peft-lora'
import { devicePlugin, type DeviceName } from './device.js'
import { perStep, profiled, type KernelTime } from './profile.js'

export interface TrainOptions {
  weights: string
  batch: number
  seq: number
  steps: number
  warmup: number
  rank: number
  dtype: 'bf16' | 'f32'
  recompute: 'none' | 'all'
  /** QLoRA: the base in 4-bit NormalFloat. */
  nf4: boolean
  /** Lengths like Alpaca's instead of full sequences. */
  alpaca: boolean
  /** Products of the forward pass, twice for each weight and token; for the share of the peak rate. */
  parameters: number
  peakTflops: number
  /** The time of every kernel in a step, which costs time: the rate is then that of a profiled step. */
  profile: boolean
  /** A folder for the data and the adapter before the first step, so that another program can do the same. */
  keep: string | undefined
}

/** Seeded whole numbers below 2^24. */
function generator(): () => number {
  let state = 7
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state >>> 8
  }
}

/** Random tokens, all learned. Alpaca-like lengths: most near 100, a tail up to the longest. */
function randomData(file: string, count: number, seq: number, alpaca: boolean): void {
  const next = generator()
  const lines = Array.from({ length: count }, () => {
    const u = (next() + 1) / 2 ** 24
    const length = alpaca ? Math.min(seq, Math.max(24, Math.round(90 * Math.exp(0.7 * gauss(u, next))))) : seq
    return JSON.stringify({ ids: Array.from({ length }, () => 3 + (next() % 2000)) })
  })
  writeFileSync(file, lines.join('\n'))
}

function gauss(u: number, next: () => number): number {
  return Math.sqrt(-2 * Math.log(u)) * Math.cos((2 * Math.PI * next()) / 2 ** 24)
}

/** LoRA on all linear layers of a model folder: tokens a second, losses, memory, share of the GPU's peak rate. */
export async function train(device: DeviceName, options: TrainOptions): Promise<object> {
  const { batch, seq, steps, warmup } = options
  const total = warmup + steps
  const scratch = mkdtempSync(join(tmpdir(), 'ift-gpu-'))
  const { plugin, device: name } = devicePlugin(device)
  const data = join(scratch, 'data.jsonl')
  // Short sequences: about as many tokens a step.
  const samples = options.alpaca ? Math.max(batch, Math.round((batch * seq) / 115)) : batch
  randomData(data, total * samples, seq, options.alpaca)
  const config: IftConfig = {
    weights: options.weights,
    device: name,
    dtype: options.dtype,
    ...(options.nf4 ? { quantize: 'nf4' as const } : {}),
    template: 'alpaca',
    data: [{ path: data, format: 'tokenized' }],
    maxLength: seq,
    trainOn: 'all',
    peft: { method: 'lora', r: options.rank, alpha: 16, dropout: 0, targetModules: 'all-linear' },
    train: {
      maxSteps: total,
      batchSize: samples,
      microBatchTokens: batch * seq,
      learningRate: 1e-4,
      schedule: 'constant',
      warmupSteps: 0,
      recompute: options.recompute,
      evalEvery: 0,
      saveEvery: 0,
      shuffle: false,
      seed: 0,
    },
    output: join(scratch, 'run'),
  }
  try {
    const ift = await Ift.load({ cwd: scratch, config, plugins: [llama, lora, plugin] })
    const training = await ift.createTraining()
    if (options.keep !== undefined) {
      mkdirSync(options.keep, { recursive: true })
      copyFileSync(data, join(options.keep, 'data.jsonl'))
      await writeAdapter(join(options.keep, 'adapter'), await training.open.peft!.save())
    }
    const done: { at: number; tokens: number; loss: number }[] = []
    training.trainer.hooks.log.tap('bench', ({ kind, values: { tokens = 0, loss = 0 } }) => {
      if (kind === 'train') done.push({ at: performance.now(), tokens, loss })
    })
    const counting = options.profile ? profiled(training.open.backend) : undefined
    let busy = 0
    // A step begins with its batch: earlier work belongs to the warm-up.
    training.trainer.hooks.batch.tap('bench', (packed, { step }) => {
      if (step === warmup) {
        counting?.startProfile()
        busy = performance.eventLoopUtilization().active
      }
      return packed
    })
    let kernels: KernelTime[] | undefined
    let jsMs = 0
    training.trainer.hooks.step.tapPromise('bench', async (result) => {
      if (result.step !== total) return
      // Later work writes the adapter.
      await result.loss()
      jsMs = (performance.eventLoopUtilization().active - busy) / steps
      if (counting) kernels = perStep(counting.stopProfile(), steps)
    })
    await training.run()
    const memory = training.open.backend.memory()
    const description = training.open.backend.device.description
    const trainable = training.trainable
    await ift.close()
    const start = done[warmup - 1]
    const end = done.at(-1)
    if (!start || !end || done.length <= warmup) throw new Error('--warmup must be from 1 to below all steps')
    // Cut or packed otherwise, the row would stand beside a peer that does other work.
    const other = options.alpaca ? undefined : done.find(({ tokens }) => tokens !== batch * seq)
    if (other)
      throw new Error(`a step of ${batch} x ${seq} had ${other.tokens} tokens, expected ${batch * seq}`)
    const seconds = (end.at - start.at) / 1000
    const tokens = done.slice(warmup).reduce((sum, step) => sum + step.tokens, 0)
    // Forward, and the backward of frozen weights: 4 operations for each weight and token.
    const tflops = (4 * options.parameters * tokens) / seconds / 1e12
    const recompute = options.recompute === 'all' ? 1.5 : 1
    return {
      peer: 'ift',
      batch,
      seq,
      data: options.alpaca ? 'alpaca lengths, packed' : 'full sequences',
      recompute: options.recompute,
      base: options.nf4 ? 'nf4' : options.dtype,
      tokensPerS: Number((tokens / seconds).toFixed(1)),
      stepMs: Number(((1000 * seconds) / steps).toFixed(2)),
      modelTflops: Number(tflops.toFixed(2)),
      mfu: Number((tflops / options.peakTflops).toFixed(4)),
      hardwareUse: Number(((tflops * recompute) / options.peakTflops).toFixed(4)),
      peakMiB: Math.round(memory.peak / 2 ** 20),
      mappedMiB: Math.round(memory.mapped / 2 ** 20),
      trainable,
      jsMsPerStep: Number(jsMs.toFixed(2)),
      ...(kernels === undefined ? {} : { profiled: true, kernels }),
      losses: done.map(({ loss }) => Number(loss.toFixed(5))),
      device: description,
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}
