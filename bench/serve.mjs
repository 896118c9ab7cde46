// @ts-check
// `ift serve` beside llama.cpp's server (by xllamacpp, which the script installs) on one GGUF file, with one client: prompts of ids that no
// other one begins with, answers of fixed length, so many clients at a time; as many clients as at most behind one long system prompt; then
// arrivals at random with mixed lengths. Times in milliseconds: to the first token, between tokens. llama.cpp runs with each number of threads; slots
// are as many as clients. The servers have their turns, --rounds times, and every number is the median of its rounds. JSON, also into --out.
//   node bench/serve.mjs [--model FILE.gguf] [--clients 1,8,32] [--requests 3] [--prompt 128] [--new 128] [--servers ift,llama] [--rounds 3]
//     [--system 512] [--threads 1,2] [--arrivals 4] [--seconds 60] [--ift "--dtype bf16"] [--out FILE]
import { readdirSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { basename, join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { realModel } from '../scripts/real-models/cache.mjs'
import { promptIds, random, streamCompletion, times } from './load-client.mjs'
import { loadNow, machine } from './machine.mjs'
import { medians } from './median.mjs'
import { iftServer, llamaServer } from './serve-process.mjs'

/** @typedef {import('./load-client.mjs').Seen} Seen @typedef {import('./serve-process.mjs').Started} Started */

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    clients: { type: 'string', default: '1,8,32' },
    requests: { type: 'string', default: '3' },
    prompt: { type: 'string', default: '128' },
    new: { type: 'string', default: '128' },
    servers: { type: 'string', default: 'ift,llama' },
    rounds: { type: 'string', default: '3' },
    system: { type: 'string', default: '512' },
    threads: { type: 'string', default: '1,2' },
    arrivals: { type: 'string', default: '4' },
    seconds: { type: 'string', default: '60' },
    vocabulary: { type: 'string', default: '40000' },
    ift: { type: 'string', default: '' },
    out: { type: 'string' },
  },
})

function publishedModel() {
  const folder = realModel('smollm2-135m-instruct')
  if (!folder) throw new Error('No SmolLM2-135M-Instruct: scripts/real-models/fetch, or --model FILE.gguf')
  return join(folder, readdirSync(folder).find((name) => name.endsWith('.gguf')) ?? '')
}
const model = values.model ?? publishedModel()
const numbers = (/** @type {string} */ list) => list.split(',').map(Number)
const [promptLength, fresh, perClient] = [Number(values.prompt), Number(values.new), Number(values.requests)]
const system = promptIds(123_457, Number(values.system), Number(values.vocabulary))
let seed = 0
/** @param {string} model @param {number} prompt @param {number} answer @param {readonly number[]} [before] what others begin with too */
const bodyOf = (model, prompt, answer, before = []) => ({
  ...{ model, prompt: [...before, ...promptIds(seed++, prompt, Number(values.vocabulary))], temperature: 0 },
  ...{ max_tokens: answer, ignore_eos: true },
})

/** @param {readonly Seen[]} seen @param {number} failed @param {number} ms */
const summary = (seen, failed, ms) => ({
  requests: seen.length,
  failed,
  tokens_per_s: Number(((1000 * seen.reduce((sum, { tokens }) => sum + tokens, 0)) / ms).toFixed(1)),
  first_token_ms: times(seen.map(({ first }) => first)),
  between_tokens_ms: times(seen.flatMap(({ gaps }) => gaps)),
  request_ms: times(seen.map(({ total }) => total)),
})

/** So many clients, one request after the other each. @param {Started} server @param {number} clients @param {readonly number[]} [before] */
async function fixed({ url, model: name }, clients, before) {
  const seen = /** @type {Seen[]} */ ([])
  const start = performance.now()
  await Promise.all(
    Array.from({ length: clients }, async () => {
      for (let i = 0; i < perClient; i++) {
        const one = await streamCompletion(url, bodyOf(name, promptLength, fresh, before))
        if (one.tokens !== fresh) throw new Error(`${one.tokens} tokens instead of ${fresh}`)
        seen.push(one)
      }
    }),
  )
  return summary(seen, 0, performance.now() - start)
}

/** Requests of mixed lengths that come at random, so many a second. @param {Started} server */
async function arriving({ url, model: name }) {
  const next = random(7)
  const seen = /** @type {Seen[]} */ ([])
  const waiting = []
  let failed = 0
  const start = performance.now()
  while (performance.now() - start < 1000 * Number(values.seconds)) {
    const body = bodyOf(name, 16 + next(2 * promptLength), 8 + next(fresh))
    waiting.push(
      streamCompletion(url, body).then(
        (one) => void seen.push(one),
        () => void failed++,
      ),
    )
    const wait = (-1000 * Math.log(1 - next(1e6) / 1e6)) / Number(values.arrivals)
    await new Promise((resolve) => setTimeout(resolve, wait))
  }
  await Promise.all(waiting)
  return { arrivals_per_s: Number(values.arrivals), ...summary(seen, failed, performance.now() - start) }
}

/** @param {() => Promise<Started>} start @param {object} about @param {readonly number[]} counts */
async function measure(start, about, counts) {
  const server = await start()
  try {
    const load = loadNow()
    for (let i = 0; i < 2; i++) await streamCompletion(server.url, bodyOf(server.model, promptLength, 8))
    const found = []
    for (const clients of counts) found.push({ clients, ...(await fixed(server, clients)) })
    const most = Math.max(...counts)
    const shared =
      system.length > 0
        ? { system: system.length, clients: most, ...(await fixed(server, most, system)) }
        : null
    const mixed = Number(values.seconds) > 0 ? await arriving(server) : null
    return { server: server.version, ...about, load_average: load, fixed: found, shared, mixed }
  } finally {
    await server.stop()
  }
}

const counts = numbers(values.clients)
const context = system.length + 2 * (promptLength + fresh) + 64
/** @typedef {Awaited<ReturnType<typeof measure>>} Measured @typedef {{ start: () => Promise<Started>, about: object, rounds: Measured[] }} Contender */

/** What is measured, each with the results of its rounds. @returns {Contender[]} */
function contendersOf(/** @type {string} */ server) {
  const slots = Math.max(...counts)
  if (server !== 'ift')
    return numbers(values.threads).map((threads) => ({
      start: () => llamaServer(model, { threads, slots, context }),
      about: { threads, slots },
      rounds: [],
    }))
  const threads = availableParallelism()
  const args = [
    '--weights',
    model,
    '--device',
    'cpu',
    '--threads',
    String(threads),
    '--max-sequences',
    String(slots),
  ]
  const start = () => iftServer([...args, ...values.ift.split(' ').filter(Boolean)])
  return [{ start, about: { threads, arguments: values.ift }, rounds: [] }]
}
const contenders = values.servers.split(',').flatMap(contendersOf)
for (let round = 0; round < Number(values.rounds); round++)
  for (const { start, about, rounds } of contenders) rounds.push(await measure(start, about, counts))
const results = contenders.map(({ rounds }) => ({
  ...medians(rounds),
  tokens_per_s_of_rounds: rounds.map((one) => one.fixed.map(({ tokens_per_s }) => tokens_per_s)),
}))

/** For each load ift beside the best of llama.cpp's servers: how many times its tokens a second, and both worst gaps. */
const ours = results.find(({ server }) => server.startsWith('ift'))
const loads = [
  ...counts.map((clients) => ({ clients, system: 0 })),
  ...(system.length > 0 ? [{ clients: Math.max(...counts), system: system.length }] : []),
]
const beside = loads.flatMap((load) => {
  const of = (/** @type {typeof results[number]} */ one) =>
    (load.system > 0 ? one.shared : one.fixed.find((found) => found.clients === load.clients)) ?? undefined
  const best = results
    .filter((one) => one !== ours)
    .flatMap((one) => of(one) ?? [])
    .sort((a, b) => b.tokens_per_s - a.tokens_per_s)[0]
  const own = ours && of(ours)
  if (!own || !best) return []
  const ratio = Number((own.tokens_per_s / best.tokens_per_s).toFixed(2))
  const p99 = { ift: own.between_tokens_ms.p99, peer: best.between_tokens_ms.p99 }
  const first = { ift: own.first_token_ms.p50, peer: best.first_token_ms.p50 }
  return [{ ...load, tokens_per_s_ratio: ratio, between_tokens_p99_ms: p99, first_token_p50_ms: first }]
})
const json = JSON.stringify({
  model: basename(model),
  ...{
    prompt: promptLength,
    new: fresh,
    requests_per_client: perClient,
    rounds: Number(values.rounds),
    node: process.version,
    ...machine(loadNow()),
  },
  ...{ beside, results },
})
console.log(json)
if (values.out) writeFileSync(values.out, json + '\n')
