// @ts-check
// SmolLM2-135M-Instruct (Q4_1) answered by ift and by llama.cpp, through node-llama-cpp and xllamacpp: tokens in a second of prompts and of
// answers, and the times to the first token and between tokens of requests that arrive at random. All engines are asked the same, turn about.
//   node bench/llama-cpp.mjs [--rounds 3] [--ift bf16,nf4,gguf] [--peers node-llama-cpp,xllamacpp] [--no-deterministic] [--quick] [--out FILE]
// --ift: types that ift holds the weights in, gguf for the blocks of the file. --quick: less of all, for trying. The model comes by scripts/real-models/fetch
// smollm2-135m-instruct, the peers by peer-packages.mjs. Some ten minutes on two cores that do nothing else; other work on them takes far more
// from llama.cpp, whose threads wait for each other after every product, than from ift.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { realModel } from '../scripts/real-models/cache.mjs'
import { loadNow, machine } from './machine.mjs'
import { median } from './median.mjs'
import { llamaCppPackages, pythonWith } from './peer-packages.mjs'
import {
  arrivals,
  decodingRate,
  EngineProcess,
  firstTokens,
  gaps,
  prefillRate,
  quantile,
} from './requests.mjs'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    ift: { type: 'string', default: 'bf16,nf4,gguf' },
    peers: { type: 'string', default: 'node-llama-cpp,xllamacpp' },
    deterministic: { type: 'boolean', default: true },
    quick: { type: 'boolean', default: false },
    out: { type: 'string' },
  },
  allowNegative: true,
})
const fetched = realModel('smollm2-135m-instruct')
if (fetched === null) throw new Error('scripts/real-models/fetch smollm2-135m-instruct')
const weights = fetched
const gguf = join(weights, readdirSync(weights).find((name) => name.endsWith('.gguf')) ?? '')

const rounds = values.quick ? 1 : Number(values.rounds)
const work = values.quick
  ? { prompt: 64, fresh: 6, callers: [1, 4], arriving: [1, 4], alone: 1, longest: 64, most: 8 }
  : {
      ...{ prompt: 512, fresh: 32, callers: [1, 8, 16, 32] },
      ...{ arriving: [1, 8, 32], alone: 4, longest: 512, most: 64 },
    }
const threadCounts = [...new Set([1, availableParallelism()])].slice(values.quick ? -1 : 0)
const { longest, most } = work
const limits = ['--sequences', String(Math.max(...work.callers, ...work.arriving))]
const here = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url))

/** How each engine is started. @type {Map<string, () => { command: string, args: string[] }>} */
const engines = new Map()
for (const name of values.ift.split(',').filter(Boolean))
  engines.set(`ift ${name}`, () => ({
    command: process.execPath,
    args: [
      ...[here('requests-ift.mjs'), '--weights', weights, '--as', name],
      ...(values.deterministic ? [] : ['--no-deterministic']),
    ],
  }))
const toPeer = ['--weights', gguf, '--context', String(longest + most)]
/** @type {Map<string, () => { command: string, args: string[] }>} */
const peers = new Map([
  [
    'node-llama-cpp',
    () => {
      const args = [here('peers/node_llama_cpp.mjs'), '--packages', llamaCppPackages(), ...toPeer]
      return { command: process.execPath, args }
    },
  ],
  [
    'xllamacpp',
    () => ({ command: pythonWith(['xllamacpp']), args: [here('peers/xllamacpp_requests.py'), ...toPeer] }),
  ],
])
for (const name of values.peers.split(',').filter(Boolean)) {
  const start = peers.get(name)
  if (!start) throw new Error(`--peers ${name}: expected ${[...peers.keys()].join(' or ')}`)
  engines.set(name, start)
}

// Prompts are parts of the model's licence, each from another place, so that none begins as another one does.
/** @type {typeof import('@ift/tokenizers')} */
const { loadTokenizer } = await import(pathToFileURL(here('../packages/tokenizers/dist/index.js')).href)
const licence = readFileSync(join(weights, 'LICENSE'), 'utf8')
const ids = [...(await (await loadTokenizer(gguf)).encode(licence)).ids]
const part = (/** @type {number} */ place, /** @type {number} */ length) => {
  const begin = (place * 67) % (ids.length - length)
  return ids.slice(begin, begin + length)
}
/** Requests that are made at once. @param {number} count @param {number} prompt @param {number} tokens */
const atOnce = (count, prompt, tokens) =>
  Array.from({ length: count }, (_, i) => ({ at: 0, prompt: part(i, prompt), tokens }))

const warmUp = (/** @type {EngineProcess} */ engine) => engine.answer(atOnce(2, 64, values.quick ? 4 : 48))
const prefill = async (/** @type {EngineProcess} */ engine) => {
  const requests = atOnce(1, work.prompt, 1)
  return prefillRate(requests, await engine.answer(requests))
}
const decoding = async (/** @type {EngineProcess} */ engine, /** @type {number} */ callers) =>
  engine.answer(atOnce(callers, 16, work.fresh * (callers === 1 && !values.quick ? 2 : 1)))

const rounded = (/** @type {number} */ value) => Number(value.toFixed(value < 10 ? 2 : 1))
const load = loadNow()
const started = performance.now()
const note = (/** @type {string} */ text) =>
  console.error(`${((performance.now() - started) / 1000).toFixed(0)} s  ${text}`)

/**
 * An engine with the number of threads that was fastest.
 * @typedef {{ process: EngineProcess, threads: number, tried: Record<string, number[]>, found: Map<string, number[]>, texts: string[], firsts: Map<number, number[]>, between: Map<number, number[]> }} Running
 * @type {Map<string, Running>}
 */
const running = new Map()
for (const [name, start] of engines) {
  const { command, args } = start()
  /** @type {Record<string, number[]>} */
  const tried = {}
  let best = { threads: 0, score: -1 }
  const open = (/** @type {number} */ threads) =>
    EngineProcess.start(command, [...args, ...limits, '--threads', String(threads)])
  for (const threads of threadCounts.length > 1 ? threadCounts : []) {
    const engine = await open(threads)
    await warmUp(engine)
    const rates = [await prefill(engine)]
    for (const callers of [1, 8]) rates.push(decodingRate(await decoding(engine, callers)))
    tried[threads] = rates.map(rounded)
    const score = rates.reduce((product, rate) => product * rate, 1)
    if (score > best.score) best = { threads, score }
    await engine.end()
    note(
      `${name}, ${threads} threads: ${tried[threads]?.join(', ')} tokens/s of a prompt, of 1 and 8 answers`,
    )
  }
  const threads = best.threads || threadCounts[0] || 1
  const engine = await open(threads)
  await warmUp(engine)
  running.set(name, {
    ...{ process: engine, threads, tried, texts: [] },
    ...{ found: new Map(), firsts: new Map(), between: new Map() },
  })
}

/** @template T @param {Map<T, number[]>} map @param {T} key @param {readonly number[]} more */
const add = (map, key, more) => map.set(key, [...(map.get(key) ?? []), ...more])
/** @type {number[]} */
const loads = []
for (let round = 0; round < rounds; round++) {
  loads.push(rounded(loadNow()))
  for (const [name, engine] of running) {
    const { process, found } = engine
    add(found, `prompt of ${work.prompt}`, [await prefill(process)])
    for (const callers of work.callers) {
      const answers = await decoding(process, callers)
      add(found, `${callers} answers`, [decodingRate(answers)])
      if (round === 0) engine.texts.push(...answers.map(({ text }) => text.trim()))
    }
    note(`${name}, round ${round + 1}`)
  }
  for (const count of work.arriving)
    for (const [name, { process, firsts, between }] of running) {
      // One request at a time is asked several times; each count has arrivals of its own in each round, the same for all engines.
      for (let again = 0; again < (count === 1 ? work.alone : 1); again++) {
        const requests = arrivals(ids, {
          ...{ count, seed: 100 * round + 10 * again + count, gap: 150 },
          ...{ prompt: [16, longest], answer: [most / 8, most] },
        })
        const answers = await process.answer(requests)
        add(firsts, count, firstTokens(requests, answers))
        add(between, count, gaps(answers))
      }
      note(`${name}, ${count} arriving`)
    }
}

const [reference] = running.values()
/** @typedef {{ p50: number, p99: number, count: number }} Times in milliseconds */
/** Letters at the beginning of an answer that are as in the first engine's, for telling that the work is the same. */
const sameStart = 12
/** @type {({ engine: string, threads: number, tokens_per_s: Record<string, number>, first_token_ms: Record<string, Times>, between_tokens_ms: Record<string, Times> } & Record<string, unknown>)[]} */
const results = []
for (const [name, engine] of running) {
  const { threads, tried, found, texts, firsts, between } = engine
  const same = texts.filter(
    (text, i) => text.slice(0, sameStart) === reference?.texts[i]?.slice(0, sameStart),
  ).length
  const times = (/** @type {number[]} */ list) => ({
    p50: rounded(quantile(list, 0.5)),
    p99: rounded(quantile(list, 0.99)),
    count: list.length,
  })
  results.push({
    ...{ engine: name, threads, ...(Object.keys(tried).length > 0 && { tried }) },
    tokens_per_s: Object.fromEntries([...found].map(([what, list]) => [what, rounded(median(list))])),
    rounds: Object.fromEntries([...found].map(([what, list]) => [what, list.map(rounded)])),
    first_token_ms: Object.fromEntries([...firsts].map(([count, list]) => [count, times(list)])),
    between_tokens_ms: Object.fromEntries([...between].map(([count, list]) => [count, times(list)])),
    answers_begin_as_the_first: [same, texts.length],
    about: engine.process.about,
    ...(await engine.process.end()),
  })
}
const ratios = results
  .filter(({ engine }) => !engine.startsWith('ift'))
  .flatMap((peer) =>
    results
      .filter(({ engine }) => engine.startsWith('ift'))
      .map((own) => ({
        ratio: `${own.engine} / ${peer.engine}`,
        ...Object.fromEntries(
          Object.entries(own.tokens_per_s).map(([what, rate]) => [
            what,
            rounded(rate / (peer.tokens_per_s[what] ?? NaN)),
          ]),
        ),
      })),
  )
console.table(results.map(({ engine, threads, tokens_per_s }) => ({ engine, threads, ...tokens_per_s })))
if (ratios.length > 0) console.table(ratios)
console.table(
  results.flatMap(({ engine, first_token_ms, between_tokens_ms }) =>
    Object.entries(first_token_ms).map(([requests, first]) => ({
      ...{ engine, requests, 'first p50': first.p50, 'first p99': first.p99 },
      ...{ 'between p50': between_tokens_ms[requests]?.p50, 'between p99': between_tokens_ms[requests]?.p99 },
    })),
  ),
)
note('in all')
if (values.out !== undefined) {
  mkdirSync(dirname(values.out), { recursive: true })
  const result = {
    work: 'SmolLM2-135M-Instruct, Q4_1, beside llama.cpp',
    ...{ rounds, ...work, seconds: Math.round((performance.now() - started) / 1000) },
    ...{ results, ratios, loads, machine: machine(load), date: new Date().toISOString().slice(0, 10) },
  }
  writeFileSync(values.out, `${JSON.stringify(result, null, 1)}\n`)
}
