// @ts-check
// Speed of generation by the number of callers at a time, with answers that do not depend on company and without (--no-deterministic), and
// the time to the first token of a long prompt, of the same prompt once more, and beside callers that decode. One line of JSON.
//   node bench/engine.mjs [--model smollm2-135m] [--dtype bf16] [--quantize none] [--callers 1,4,16] [--new 32] [--prompt 512] [--rounds 3]
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
    quantize: { type: 'string', default: 'none' },
    callers: { type: 'string', default: '1,4,16' },
    new: { type: 'string', default: '32' },
    prompt: { type: 'string', default: '512' },
    rounds: { type: 'string', default: '3' },
    threads: { type: 'string', default: String(availableParallelism()) },
  },
})
const counts = values.callers.split(',').map(Number)
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
    quantize: /** @type {'none' | 'nf4' | 'int8'} */ (values.quantize),
    template: 'alpaca',
  },
})
const open = await ift.openModel()
const maxSequences = Math.max(...counts)
const generators = {
  deterministic: await ift.createGenerator(open, { maxSequences, deterministic: true }),
  fast: await ift.createGenerator(open, { maxSequences, deterministic: false }),
}

/** Ids of a prompt that no other one begins with. @param {number} seed @param {number} length */
const prompt = (seed, length) =>
  Int32Array.from({ length }, (_, i) => 100 + ((seed * 7919 + i * 104_729) % 40_000))
let seed = 0
const answer = { maxNewTokens: fresh, minNewTokens: fresh }

/** Tokens in a second of so many callers, each with a call of its own. @param {import('@ift/core').TextGenerator} generator @param {number} callers */
async function rate(generator, callers) {
  const start = performance.now()
  const answers = await Promise.all(
    Array.from({ length: callers }, () => generator.generate(prompt(seed++, 16), answer)),
  )
  const tokens = answers.reduce((sum, { ids }) => sum + ids.length, 0)
  if (tokens !== callers * fresh) throw new Error(`${tokens} tokens instead of ${callers * fresh}`)
  return (1000 * tokens) / (performance.now() - start)
}

/** Milliseconds to the first token. @param {import('@ift/core').TextGenerator} generator @param {Int32Array} ids */
async function first(generator, ids) {
  const start = performance.now()
  await generator.generate(ids, { maxNewTokens: 1, minNewTokens: 1 })
  return performance.now() - start
}

/** @type {Map<string, number[]>} */
const found = new Map()
const note = (/** @type {string} */ what, /** @type {number} */ value) =>
  found.set(what, [...(found.get(what) ?? []), value])
for (const generator of Object.values(generators)) await rate(generator, 2)
const load = loadNow()
for (let round = 0; round < Number(values.rounds); round++)
  for (const [mode, generator] of Object.entries(generators)) {
    for (const callers of counts) note(`${mode} tokens_per_s ${callers}`, await rate(generator, callers))
    const long = prompt(seed++, Number(values.prompt))
    // Somebody else is being answered: what begins alike stays in the cache as long.
    const beside = generator.generate(prompt(seed++, 16), {
      maxNewTokens: 4 * fresh,
      minNewTokens: 4 * fresh,
    })
    note(`${mode} first_token_ms long`, await first(generator, long))
    note(`${mode} first_token_ms again`, await first(generator, long))
    await beside
  }
const { description } = open.backend.device
await ift.close()
const rounded = (/** @type {number} */ value) => Number(value.toFixed(1))
process.stdout.write(
  `${JSON.stringify({
    work: 'one engine, several callers',
    model: values.model,
    dtype: values.dtype,
    quantize: values.quantize,
    new_tokens: fresh,
    long_prompt: Number(values.prompt),
    median: Object.fromEntries([...found].map(([what, list]) => [what, rounded(median(list))])),
    rounds: Object.fromEntries([...found].map(([what, list]) => [what, list.map(rounded)])),
    threads: Number(values.threads),
    device: description,
    versions: { ift: version, node: process.version },
    machine: machine(load),
    date: new Date().toISOString().slice(0, 10),
  })}\n`,
)
