// @ts-check
// Requests without end: so many at a time, of mixed lengths and settings, a tenth of them cancelled, for some minutes. Memory, pages and
// buffers must not grow, and the times to the first token and between tokens are counted. JSON, also into --out; exit code 1 where something is left.
//   node bench/soak.mjs [--minutes 60] [--requests 32] [--model smollm2-135m] [--dtype bf16] [--out FILE]
import { writeFileSync } from 'node:fs'
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
    minutes: { type: 'string', default: '60' },
    requests: { type: 'string', default: '32' },
    model: { type: 'string', default: 'smollm2-135m' },
    dtype: { type: 'string', default: 'bf16' },
    seed: { type: 'string', default: '1' },
    out: { type: 'string' },
  },
})
const atATime = Number(values.requests)
const folder = modelFolder(values.model)
const ift = await Ift.load({
  cwd: fileURLToPath(new URL('..', import.meta.url)),
  config: {
    weights: folder,
    tokenizer: folder,
    device: 'cpu',
    dtype: /** @type {'bf16' | 'f32'} */ (values.dtype),
    template: 'alpaca',
  },
})
const open = await ift.openModel()
const buffersBefore = open.backend.memory().buffers
// A small cache, so that requests wait and make room.
const generator = await ift.createGenerator(open, { cacheBytes: 96 * 2 ** 20, keepPrefixes: true })

let state = Number(values.seed)
/** A whole number below `below` (Park and Miller 1988). @param {number} below */
const next = (below) => (state = (state * 48271) % 2147483647) % below
const shared = Array.from({ length: 4 }, (_, i) => Array.from({ length: 64 }, (_, j) => 100 + i * 1000 + j))

const counts = { done: 0, cancelled: 0, failed: 0, tokens: 0 }
/** @type {number[]} */
const firsts = []
/** @type {number[]} */
const gaps = []
const keep = (/** @type {number[]} */ list, /** @type {number} */ value) => {
  if (list.length < 200_000) list.push(value)
}

async function request() {
  const ids = Int32Array.from([
    ...(shared[next(8)] ?? []),
    ...Array.from({ length: 1 + next(200) }, () => 100 + next(40_000)),
  ])
  const options = {
    maxNewTokens: 8 + next(56),
    ...(next(2) === 0 && { doSample: true, temperature: 1, topP: 0.9, seed: next(1000) }),
    ...(next(4) === 0 && { logprobs: 2 }),
  }
  const stop = next(10) === 0 ? AbortSignal.timeout(1 + next(4000)) : undefined
  let last = performance.now()
  let isFirst = true
  try {
    const onText = () => {
      const now = performance.now()
      keep(isFirst ? firsts : gaps, now - last)
      ;[last, isFirst] = [now, false]
    }
    const { ids: answer } = await generator.generate(ids, options, {
      onText,
      priority: next(3),
      ...(stop && { signal: stop }),
    })
    counts.done++
    counts.tokens += answer.length
  } catch (error) {
    if (stop?.aborted) counts.cancelled++
    else {
      counts.failed++
      console.error(error)
    }
  }
}

const load = loadNow()
const start = performance.now()
const end = start + Number(values.minutes) * 60_000
/** @type {{ seconds: number, rssMiB: number, buffers: number, preemptions: number }[]} */
const samples = []
const sample = () => {
  const { buffers } = open.backend.memory()
  samples.push({
    seconds: Math.round((performance.now() - start) / 1000),
    rssMiB: Math.round(process.memoryUsage.rss() / 2 ** 20),
    buffers,
    preemptions: generator.load.preemptions,
  })
}
const timer = setInterval(sample, Math.max(1000, (Number(values.minutes) * 60_000) / 60))
await Promise.all(
  Array.from({ length: atATime }, async () => {
    while (performance.now() < end) await request()
  }),
)
clearInterval(timer)
sample()
const { preemptions, running, waiting } = generator.load
const seconds = (performance.now() - start) / 1000
await generator.release()
const buffersLeft = open.backend.memory().buffers - buffersBefore
const { description } = open.backend.device
await ift.close()

const quantile = (/** @type {number[]} */ list, /** @type {number} */ share) =>
  Number(([...list].sort((a, b) => a - b)[Math.floor(share * (list.length - 1))] ?? 0).toFixed(1))
// What a first fifth needs to fill caches is not growth.
const [early, late] = [
  samples.slice(samples.length / 5, (2 * samples.length) / 5),
  samples.slice((-samples.length * 2) / 5),
]
const [rssEarly, rssLate] = [early, late].map((some) => median(some.map(({ rssMiB }) => rssMiB)))
const result = {
  work: 'requests without end',
  model: values.model,
  dtype: values.dtype,
  at_a_time: atATime,
  minutes: Number(values.minutes),
  ...counts,
  tokens_per_s: Math.round(counts.tokens / seconds),
  first_token_ms: { p50: quantile(firsts, 0.5), p99: quantile(firsts, 0.99) },
  between_tokens_ms: { p50: quantile(gaps, 0.5), p99: quantile(gaps, 0.99) },
  preemptions,
  rss_mib: { early: rssEarly, late: rssLate, most: Math.max(...samples.map(({ rssMiB }) => rssMiB)) },
  buffers_left: buffersLeft,
  samples,
  threads: availableParallelism(),
  device: description,
  versions: { ift: version, node: process.version },
  machine: machine(load),
  date: new Date().toISOString().slice(0, 10),
}
const text = JSON.stringify(result)
if (values.out !== undefined) writeFileSync(values.out, `${text}\n`)
process.stdout.write(`${text}\n`)
const isFlat = (rssLate ?? 0) <= 1.05 * (rssEarly ?? 0) + 16
if (counts.failed > 0 || buffersLeft !== 0 || running + waiting > 0 || !isFlat) process.exitCode = 1
