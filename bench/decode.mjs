// @ts-check
// Speed of greedy decoding with ift on this machine's CPU; one line of JSON, the fields of peers/torch_generate.py.
//   node bench/decode.mjs [--model smollm2-135m] [--dtype bf16] [--batch 1] [--new 64] [--rounds 3]
// With --profile: microseconds by kernel of a decoding step instead, of the round whose rate is nearest the median.
import { availableParallelism } from 'node:os'
import { performance } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Ift, version } from '@ift/core'
import { loadNow, machine } from './machine.mjs'
import { median } from './median.mjs'
import { modelFolder } from './shapes.mjs'

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'smollm2-135m' },
    dtype: { type: 'string', default: 'bf16' },
    batch: { type: 'string', default: '1' },
    new: { type: 'string', default: '64' },
    rounds: { type: 'string', default: '3' },
    threads: { type: 'string', default: String(availableParallelism()) },
    profile: { type: 'boolean', default: false },
  },
})
const batch = Number(values.batch)
const fresh = Number(values.new)
const folder = modelFolder(values.model)
const ift = await Ift.load({
  cwd: fileURLToPath(new URL('..', import.meta.url)),
  config: {
    weights: folder,
    tokenizer: folder,
    device: 'cpu',
    threads: Number(values.threads),
    dtype: /** @type {'bf16' | 'f32'} */ (values.dtype),
    template: 'alpaca',
  },
})
const generator = await ift.createGenerator(undefined, { maxSequences: batch })
/** About 128 tokens, as many as the peer's prompt has. @param {number} seed */
const prompt = (seed) =>
  Array.from({ length: 64 }, (_, i) => `${(seed * 31 + i * 7) % 10} ${'abcdefgh'[(seed + i) % 8]}`).join('')
const prompts = Array.from({ length: batch }, (_, i) => prompt(i))
const promptTokens = (await generator.encode(prompts[0] ?? '')).length
/** Seconds of generating `count` tokens for each prompt. @param {number} count */
const seconds = async (count) => {
  const start = performance.now()
  const results = await generator.generateAll(prompts, { maxNewTokens: count, minNewTokens: count })
  for (const { ids } of results)
    if (ids.length !== count) throw new Error(`${ids.length} tokens instead of ${count}`)
  return (performance.now() - start) / 1000
}
const backend = await ift.openBackend()
/** @typedef {{ kernel: string, detail: string, calls: number, ms: number }} KernelTime */
if (!('startProfile' in backend)) throw new Error('the backend counts no kernels')
const counting = /** @type {{ startProfile(): void, stopProfile(): KernelTime[] }} */ (
  /** @type {unknown} */ (backend)
)
/** Seconds of generating `count` tokens for each prompt, of which JavaScript's, and the kernels if wanted. @param {number} count */
const run = async (count) => {
  if (values.profile) counting.startProfile()
  const busy = performance.eventLoopUtilization().active
  const time = await seconds(count)
  const js = (performance.eventLoopUtilization().active - busy) / 1000
  return { time, js, kernels: values.profile ? counting.stopProfile() : [] }
}
await seconds(4)
const load = loadNow()
const rounds = []
for (let round = 0; round < Number(values.rounds); round++) {
  const [first, all] = [await run(1), await run(fresh)]
  rounds.push({ first, all, rate: (batch * (fresh - 1)) / (all.time - first.time) })
}
const { description } = backend.device
await ift.close()
const rates = rounds.map(({ rate }) => rate)
const prefills = rounds.map(({ first }) => first.time)
if (values.profile) {
  const middle = median(rates)
  const [round] = [...rounds].sort((a, b) => Math.abs(a.rate - middle) - Math.abs(b.rate - middle))
  if (!round) throw new Error('--rounds: at least 1')
  const key = (/** @type {KernelTime} */ { kernel, detail }) => `${kernel} ${detail}`
  const before = new Map(round.first.kernels.map((one) => [key(one), one]))
  // Without the prompts, which the round with one token works on too.
  const steps = round.all.kernels.map((one) => {
    const { calls = 0, ms = 0 } = before.get(key(one)) ?? {}
    return { name: key(one), calls: (one.calls - calls) / (fresh - 1), ms: (one.ms - ms) / (fresh - 1) }
  })
  const row = (/** @type {string} */ name, /** @type {string[]} */ cells) =>
    `${name.padEnd(44)}${cells.map((cell) => cell.padStart(10)).join('')}\n`
  process.stdout.write(
    [
      `${values.model} ${values.dtype}, batch ${batch}, ${description}, load ${load.toFixed(1)}\n`,
      row('per step', ['calls', 'us', 'us/call']),
      ...steps
        .filter(({ calls }) => calls >= 1)
        .sort((a, b) => b.ms - a.ms)
        .map(({ name, calls, ms }) =>
          row(name, [calls.toFixed(0), (1e3 * ms).toFixed(0), ((1e3 * ms) / calls).toFixed(1)]),
        ),
      row('step', ['', ((1e6 * batch) / round.rate).toFixed(0)]),
      row('JavaScript', ['', ((1e6 * (round.all.js - round.first.js)) / (fresh - 1)).toFixed(0)]),
    ].join(''),
  )
} else {
  process.stdout.write(
    `${JSON.stringify({
      peer: 'ift',
      work: 'decode',
      model: values.model,
      dtype: values.dtype,
      batch,
      prompt_tokens: promptTokens,
      new_tokens: fresh,
      tokens_per_s: Number(median(rates).toFixed(1)),
      rounds: rates.map((rate) => Number(rate.toFixed(1))),
      prefill_s: Number(median(prefills).toFixed(3)),
      peak_rss_mib: Math.round(process.resourceUsage().maxRSS / 1024),
      threads: Number(values.threads),
      device: description,
      versions: { ift: version, node: process.version },
      machine: machine(load),
      date: new Date().toISOString().slice(0, 10),
    })}\n`,
  )
}
