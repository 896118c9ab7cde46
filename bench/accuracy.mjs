// @ts-check
// How far log-probabilities in bf16 are from those in f32, for tokens of a text and for the next token of an answer.
//   node bench/accuracy.mjs MODEL [--tokens 4096] [--text FILE] [--steps 64] [--dtype bf16] [--quantize none] [--python PYTHON]
//     [--speed 5] [--narrow] [--out FILE]
// MODEL: a folder, a GGUF file, a hub id, or a name that scripts/real-models/fetch has brought. --python, with torch and transformers, compares
// transformers in both types over the same ids too. Texts: pages of docs/, unless a file is named. A minute for 135M parameters.
// --narrow: hidden states between layers as other programs hold them, in the type of the weights. --speed N: what f32 there costs, as the ratio of
// times with and without in N alternating rounds, for a prompt of 512 and an answer of 64 tokens.
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Ift, version } from '@ift/core'
import { catalog, realModel } from '../scripts/real-models/cache.mjs'
import { loadNow, machine } from './machine.mjs'
import { median } from './median.mjs'
import { quantile } from './requests.mjs'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    tokens: { type: 'string', default: '4096' },
    text: { type: 'string' },
    steps: { type: 'string', default: '64' },
    dtype: { type: 'string', default: 'bf16' },
    quantize: { type: 'string', default: 'none' },
    python: { type: 'string' },
    speed: { type: 'string', default: '0' },
    narrow: { type: 'boolean', default: false },
    out: { type: 'string' },
  },
})
const here = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url))
const [named = ''] = positionals
if (named === '') {
  console.error('node bench/accuracy.mjs MODEL: a folder, a GGUF file, a hub id or a fetched model')
  process.exit(2)
}
const fetched = catalog.has(named) ? realModel(named) : null
if (catalog.has(named) && fetched === null) throw new Error(`scripts/real-models/fetch ${named}`)
const gguf = fetched === null ? undefined : readdirSync(fetched).find((name) => name.endsWith('.gguf'))
const weights = fetched === null ? named : gguf === undefined ? fetched : join(fetched, gguf)

/** Tokens of a sequence, and the most of a text. */
const window = 512
const tokens = Number(values.tokens)
const text =
  values.text === undefined
    ? ['tutorial', 'data', 'generation', 'serving', 'distributed', 'peft', 'templates', 'runs']
        .map((page) => readFileSync(here(`../docs/${page}.md`), 'utf8'))
        .join('\n')
    : readFileSync(resolve(values.text), 'utf8')

/**
 * What a run gives: of each sequence the log-probability of every token behind the first, and the likeliest token in its place; of each step
 * the log-probabilities of the likeliest tokens, highest first.
 * @typedef {{ logprobs: number[][], best: number[][], steps?: { id: number, logprob: number }[][] }} Found
 */

/** @param {'f32' | 'bf16'} dtype @param {'none' | 'nf4' | 'int8'} quantize @param {number[][] | null} given */
async function measured(dtype, quantize, given) {
  const ift = await Ift.load({ cwd: here('..'), config: { weights, device: 'cpu', dtype, quantize } })
  const open = await ift.openModel()
  if (values.narrow) open.backend.wideResidual = false
  const generator = await ift.createGenerator(open)
  let sequences = given
  if (sequences === null) {
    const ids = [...(await open.tokenizer.encode(text)).ids].slice(0, tokens)
    const bos = open.tokenizer.addBos && open.tokenizer.bosId !== null ? [open.tokenizer.bosId] : []
    sequences = []
    for (let at = 0; at < ids.length - 1; at += window)
      sequences.push([...bos, ...ids.slice(at, at + window)])
  }
  /** @type {Required<Found>} */
  const found = { logprobs: [], best: [], steps: [] }
  for (const ids of sequences) {
    const asked = { maxNewTokens: 1, doSample: false, promptLogprobs: 1 }
    const { promptLogprobs = [] } = await generator.generate(Int32Array.from(ids), asked)
    const scored = promptLogprobs.slice(1)
    found.logprobs.push(scored.map((one) => one?.logprob ?? NaN))
    found.best.push(scored.map((one) => one?.top[0]?.id ?? -1))
  }
  // Beginnings of the sequences, evenly: a step of decoding follows each, behind one of its own.
  const steps = Number(values.steps)
  for (let i = 0; i < steps; i++) {
    const ids = sequences[Math.floor((i * sequences.length) / steps)] ?? []
    const length = 2 + ((i * 101) % Math.max(1, ids.length - 2))
    const { logprobs = [] } = await generator.generate(Int32Array.from(ids.slice(0, length)), {
      ...{ maxNewTokens: 1, minNewTokens: 1, doSample: false, logprobs: 20 },
    })
    found.steps.push([...(logprobs[0]?.top ?? [])])
  }
  await ift.close()
  return { found, sequences, device: open.backend.device.description }
}

/** transformers over the same ids. @param {string} python @param {number[][]} sequences @returns {Record<string, Found>} */
function measuredByTransformers(python, sequences) {
  const work = mkdtempSync(join(tmpdir(), 'ift-accuracy-'))
  try {
    const [input, output] = [join(work, 'ids.json'), join(work, 'found.json')]
    writeFileSync(input, JSON.stringify(sequences))
    const args = [here('peers/torch_accuracy.py'), '--weights', resolve(weights), input, output]
    execFileSync(python, args, { stdio: ['ignore', 2, 2] })
    return JSON.parse(readFileSync(output, 'utf8'))
  } finally {
    rmSync(work, { recursive: true })
  }
}

/** Seconds of a prompt and of an answer, with hidden states in f32 and in the type of the weights. @param {number} rounds */
async function costs(rounds) {
  const ift = await Ift.load({
    cwd: here('..'),
    config: { weights, device: 'cpu', dtype: /** @type {'bf16'} */ (values.dtype) },
  })
  const open = await ift.openModel()
  const ids = Int32Array.from([...(await open.tokenizer.encode(text)).ids])
  const kinds = [true, false].map((wide) => ({
    wide,
    prompt: /** @type {number[]} */ ([]),
    answer: /** @type {number[]} */ ([]),
  }))
  for (let round = 0; round <= rounds; round++)
    for (const { wide, prompt, answer } of round % 2 === 0 ? kinds : kinds.toReversed()) {
      open.backend.wideResidual = wide
      // Steps that one has written down are of its kind.
      const generator = await ift.createGenerator(open)
      const timed = async (/** @type {number} */ length, /** @type {number} */ count) => {
        const from = 1 + ((round * 97) % 1000)
        const before = process.cpuUsage()
        const options = { maxNewTokens: count, minNewTokens: count, doSample: false }
        await generator.generate(ids.slice(from, from + length), options)
        const { user, system } = process.cpuUsage(before)
        return (user + system) / 1e6
      }
      const first = await timed(512, 1)
      await timed(16, 4)
      const second = await timed(16, 65)
      if (round > 0) {
        prompt.push(first)
        answer.push(second)
      }
    }
  await ift.close()
  const [on, off] = kinds
  const ratio = (/** @type {number[]} */ a, /** @type {number[]} */ b) =>
    digits(median(a.map((one, i) => one / (b[i] ?? NaN))))
  return {
    'cost of f32': 'ratio of processor time',
    prompt: ratio(on?.prompt ?? [], off?.prompt ?? []),
    answer: ratio(on?.answer ?? [], off?.answer ?? []),
    rounds,
  }
}

const digits = (/** @type {number} */ value) => Number(value.toPrecision(3))

/** Nats between two runs. @param {string} what @param {Found} a @param {Found} b */
function between(what, a, b) {
  const deltas = a.logprobs.flatMap((row, i) =>
    row.map((one, j) => Math.abs(one - (b.logprobs[i]?.[j] ?? NaN))),
  )
  const flips = a.best.flatMap((row, i) => row.filter((id, j) => id !== b.best[i]?.[j])).length
  const stats = {
    ...{ what, tokens: deltas.length, mean: digits(deltas.reduce((x, y) => x + y, 0) / deltas.length) },
    ...{ p50: digits(quantile(deltas, 0.5)), p99: digits(quantile(deltas, 0.99)) },
    ...{ max: digits(deltas.reduce((x, y) => Math.max(x, y))), 'top-1 flips': flips },
  }
  if (!a.steps || !b.steps) return stats
  // Of tokens that both list, as far as they are likely enough to be chosen.
  const next = a.steps.flatMap((top, i) => {
    const others = new Map(b.steps?.[i]?.map(({ id, logprob }) => [id, logprob]))
    return top.slice(0, 5).flatMap(({ id, logprob }) => {
      const other = others.get(id)
      return other === undefined ? [] : [Math.abs(logprob - other)]
    })
  })
  const chosen = a.steps.filter((top, i) => top[0]?.id !== b.steps?.[i]?.[0]?.id).length
  return {
    ...stats,
    'next mean': digits(next.reduce((x, y) => x + y, 0) / next.length),
    'next flips': chosen,
  }
}

const load = loadNow()
const exact = await measured('f32', 'none', null)
const dtype = /** @type {'bf16' | 'f32'} */ (values.dtype)
const own = await measured(dtype, /** @type {'none' | 'nf4' | 'int8'} */ (values.quantize), exact.sequences)
const name = values.quantize === 'none' ? `ift ${dtype}` : `ift ${values.quantize}`
const rows = [between(`${name} / ift f32`, own.found, exact.found)]
if (values.python !== undefined) {
  const peer = measuredByTransformers(values.python, exact.sequences)
  if (!peer.f32 || !peer.bf16) throw new Error('transformers gave nothing')
  rows.push(
    between('transformers bf16 / transformers f32', peer.bf16, peer.f32),
    between('ift f32 / transformers f32', exact.found, peer.f32),
    between(`${name} / transformers f32`, own.found, peer.f32),
  )
}
console.table(rows)
const cost = Number(values.speed) > 0 ? await costs(Number(values.speed)) : null
if (cost) console.table([cost])
if (values.out !== undefined) {
  const about = {
    ...{ work: 'accuracy of log-probabilities, in nats', model: named, window, tokens, ift: version },
    ...{
      text: values.text ?? 'docs',
      sha256: createHash('sha256').update(text).digest('hex'),
      device: exact.device,
    },
  }
  const date = new Date().toISOString().slice(0, 10)
  writeFileSync(
    values.out,
    `${JSON.stringify({ ...about, results: rows, ...(cost && { cost }), machine: machine(load), date }, null, 1)}\n`,
  )
}
