// @ts-check
// Speed of LoRA fine-tuning with ift on this machine's CPU; one line of JSON, the fields of peers/torch_peft.py.
//   node bench/train.mjs [--model smollm2-135m] [--dtype bf16] [--quantize none] [--batch 2] [--seq 256] [--steps 5] [--warmup 2]
//   node bench/train.mjs --batch 4 --seq 512 --alpaca alpaca_en_demo.json --tokenizer FOLDER
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { performance } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Ift, version } from '@ift/core'
import { loraConfig, randomTokens, runOptions, scratchFolder, sizesOf } from './lora-run.mjs'
import { loadNow, machine } from './machine.mjs'
import { median } from './median.mjs'

const { values } = parseArgs({
  options: { ...runOptions, alpaca: { type: 'string' }, tokenizer: { type: 'string' } },
})
if (values.alpaca && !values.tokenizer) throw new Error('--alpaca needs --tokenizer')
const sizes = sizesOf(values)
const { batch, seq, warmup, rank, threads } = sizes
const scratch = scratchFolder()
const config = loraConfig(values, sizes, join(scratch, 'run'))

/** Processor time of the JavaScript thread since the process began, in milliseconds; its calls into the kernels included. */
const javaScriptMs = () =>
  Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6

const load = loadNow()
const opened = performance.now()
const ift = await Ift.load({
  // Packages are found from the repository, wherever this is run.
  cwd: fileURLToPath(new URL('..', import.meta.url)),
  config: {
    ...config,
    data: [values.alpaca ? { path: resolve(values.alpaca) } : randomTokens(scratch, sizes)],
    ...(values.tokenizer && { tokenizer: resolve(values.tokenizer) }),
    ...(values.alpaca && { trainOn: 'assistant' }),
  },
})
const training = await ift.createTraining()
/** Per step: when its loss was known, the tokens it read and learned, the loss. @type {{ at: number, busy: number, tokens: number, trained: number, loss: number }[]} */
const done = []
training.trainer.hooks.log.tap('bench', ({ kind, values: { tokens = 0, trainedTokens = 0, loss = 0 } }) => {
  if (kind !== 'train') return
  const busy = javaScriptMs()
  done.push({ at: performance.now(), busy, tokens, trained: trainedTokens, loss })
})
await training.run()
const rssMiB = Math.round(process.resourceUsage().maxRSS / 1024)
const device = training.open.backend.device.description
const allocated = training.open.backend.memory()
await ift.close()

const round = (/** @type {number} */ value, digits = 1) => Number(value.toFixed(digits))
const before = done[warmup - 1]
const last = done.at(-1)
const first = done[0]
if (!before || !last || !first)
  throw new Error('--warmup must be at least 1: the first step is reported by itself')
const measured = done
  .slice(warmup)
  .map((one, i) => ({ ...one, seconds: (one.at - (done[warmup + i - 1]?.at ?? NaN)) / 1000 }))
const sum = (/** @type {(one: (typeof measured)[number]) => number} */ of) =>
  measured.reduce((a, one) => a + of(one), 0)
const seconds = sum((one) => one.seconds)
process.stdout.write(
  `${JSON.stringify({
    peer: 'ift',
    model: values.model,
    dtype: values.dtype,
    quantize: values.quantize,
    data: values.alpaca ? 'alpaca' : 'random',
    batch,
    seq,
    rank,
    tokens_per_s: round(median(measured.map(({ tokens, seconds }) => tokens / seconds))),
    tokens_per_s_total: round(sum(({ tokens }) => tokens) / seconds),
    trained_tokens_per_s_total: round(sum(({ trained }) => trained) / seconds),
    step_s: measured.map((one) => round(one.seconds, 3)),
    js_ms_per_step: round((last.busy - before.busy) / measured.length, 2),
    open_s: round((first.at - opened) / 1000, 3),
    command_to_first_step_s: round(first.at / 1000, 3),
    peak_rss_mib: rssMiB,
    peak_device_mib: round(allocated.peak / 2 ** 20, 0),
    trainable_parameters: training.trainable,
    loss: [round(first.loss, 4), round(last.loss, 4)],
    threads,
    device,
    versions: { ift: version, node: process.version },
    machine: machine(load),
    date: new Date().toISOString().slice(0, 10),
  })}\n`,
)
