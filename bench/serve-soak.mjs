// @ts-check
// A server under clients without end: so many at a time, mixed lengths, a tenth of them goes away in the middle, some read slowly. No request
// may be lost, memory must not grow, and SIGTERM must let answers end. JSON, also into --out; exit code 1 where something is wrong.
// The cache has a size that fills within minutes: half of the free memory, the server's default, would grow for hours.
//   node bench/serve-soak.mjs [--minutes 60] [--clients 32] [--model FILE.gguf] [--slow 4] [--cache GIB] [--out FILE]
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { realModel } from '../scripts/real-models/cache.mjs'
import { promptIds, random, streamCompletion, times } from './load-client.mjs'
import { loadNow, machine } from './machine.mjs'
import { median } from './median.mjs'
import { iftServer } from './serve-process.mjs'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    clients: { type: 'string', default: '32' },
    slow: { type: 'string', default: '4' },
    model: { type: 'string' },
    cache: { type: 'string', default: '1' },
    vocabulary: { type: 'string', default: '40000' },
    seed: { type: 'string', default: '1' },
    out: { type: 'string' },
  },
})
const folder = realModel('smollm2-135m-instruct')
const file =
  values.model ?? (folder && join(folder, readdirSync(folder).find((name) => name.endsWith('.gguf')) ?? ''))
if (!file) throw new Error('No SmolLM2-135M-Instruct: scripts/real-models/fetch, or --model FILE.gguf')
const server = await iftServer([
  ...['--weights', file, '--device', 'cpu'],
  ...['--max-sequences', values.clients, '--cache', values.cache],
])
const load = loadNow()

/** Resident memory of the server, MiB. */
function residentMiB() {
  const status = readFileSync(`/proc/${server.pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? NaN) / 1024
}

const next = random(Number(values.seed))
const shared = Array.from({ length: 4 }, (_, i) => promptIds(900 + i, 64, Number(values.vocabulary)))
const counts = { done: 0, cancelled: 0, slow: 0, refused: 0, lost: 0, tokens: 0 }
const firsts = /** @type {number[]} */ ([])
const gaps = /** @type {number[]} */ ([])
const keep = (/** @type {number[]} */ list, /** @type {number} */ value) => {
  if (list.length < 200_000) list.push(value)
}
const losses = /** @type {string[]} */ ([])
let ending = false
let seed = 0

/** @param {boolean} slow */
async function request(slow) {
  const prompt = [...(shared[next(8)] ?? []), ...promptIds(seed++, 1 + next(200), Number(values.vocabulary))]
  const answer = 1 + next(96)
  const sampled = next(2) === 1
  const body = {
    ...{ model: server.model, prompt, max_tokens: answer, ignore_eos: next(4) > 0, seed: next(1000) },
    ...(sampled ? { temperature: 0.9, top_p: 0.9 } : { temperature: 0 }),
  }
  const cancels = next(10) === 0
  const controller = new AbortController()
  if (cancels) setTimeout(() => controller.abort(), next(1500))
  try {
    const seen = await streamCompletion(server.url, body, {
      signal: controller.signal,
      ...(slow && { pause: () => sleep(200 + next(400)) }),
    })
    counts.done++
    counts.tokens += seen.tokens
    if (slow) counts.slow++
    else {
      keep(firsts, seen.first)
      for (const gap of seen.gaps) keep(gaps, gap)
    }
  } catch (error) {
    const text = String(error)
    if (controller.signal.aborted) counts.cancelled++
    else if (
      ending &&
      /503|shutting_down|ECONNREFUSED|fetch failed/.test(
        `${text} ${String(/** @type {Error} */ (error).cause)}`,
      )
    )
      counts.refused++
    else {
      counts.lost++
      if (losses.length < 10) losses.push(text)
    }
  }
}

const start = performance.now()
const minutes = Number(values.minutes)
const memory = /** @type {{ minute: number, mib: number }[]} */ ([])
const sampler = setInterval(
  () => memory.push({ minute: (performance.now() - start) / 60_000, mib: residentMiB() }),
  Math.max(1000, minutes * 500),
)
const clients = Array.from({ length: Number(values.clients) }, async (_, i) => {
  while (!ending) await request(i < Number(values.slow))
})
await sleep(minutes * 60_000)
clearInterval(sampler)
const ran = (performance.now() - start) / 1000
ending = true
const termed = performance.now()
const [code] = await Promise.all([server.stop(), ...clients])
const drained = performance.now() - termed

// The first third fills caches; from then on memory is to stay.
const third = Math.floor(memory.length / 3)
const part = (/** @type {number} */ from, /** @type {number} */ to) =>
  median(memory.slice(from, to).map(({ mib }) => mib))
const [middle, last] = [part(third, 2 * third), part(2 * third, memory.length)]
const result = {
  ...{ minutes, clients: clients.length, slow_readers: Number(values.slow), cache_gib: Number(values.cache) },
  ...counts,
  losses,
  tokens_per_s: Number((counts.tokens / ran).toFixed(1)),
  first_token_ms: times(firsts),
  between_tokens_ms: times(gaps),
  resident_mib: { second_third: Math.round(middle), last_third: Math.round(last) },
  sigterm: { exit_code: code, drained_ms: Math.round(drained) },
  ...{ server: server.version, node: process.version, ...machine(load) },
}
const json = JSON.stringify(result)
console.log(json)
if (values.out) writeFileSync(values.out, json + '\n')
if (counts.lost > 0 || code !== 0 || last > 1.1 * middle + 16) process.exitCode = 1
