// @ts-check
// Speed of greedy decoding with several LoRA adapters over one base: prompts of 1, 4 and 8 adapters in one batch, against the prompts of
// one adapter at a time. One line of JSON.
//   node bench/adapters.mjs [--model smollm2-135m] [--dtype bf16] [--quantize none] [--batch 8] [--new 32] [--rounds 3]
import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Ift, version, writeAdapter } from '@ift/core'
import { loadNow, machine } from './machine.mjs'
import { median } from './median.mjs'
import { modelFolder } from './shapes.mjs'

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'smollm2-135m' },
    dtype: { type: 'string', default: 'bf16' },
    quantize: { type: 'string', default: 'none' },
    batch: { type: 'string', default: '8' },
    new: { type: 'string', default: '32' },
    rounds: { type: 'string', default: '3' },
    threads: { type: 'string', default: String(availableParallelism()) },
  },
})
const batch = Number(values.batch)
const fresh = Number(values.new)
const counts = [1, 4, 8]
const folder = modelFolder(values.model)
const cwd = fileURLToPath(new URL('..', import.meta.url))
/** @type {import('@ift/core').IftConfig} */
const config = {
  weights: folder,
  tokenizer: folder,
  device: 'cpu',
  threads: Number(values.threads),
  dtype: /** @type {'bf16' | 'f32'} */ (values.dtype),
  quantize: /** @type {'none' | 'nf4' | 'int8'} */ (values.quantize),
  template: 'alpaca',
}
const made = mkdtempSync(join(tmpdir(), 'ift-bench-adapters-'))
/** @type {Record<string, string>} */
const adapter = {}
await Ift.using(
  { cwd, config: { ...config, peft: { method: 'lora', r: 8, targetModules: 'all-linear' } } },
  async (ift) => {
    const { peft, backend } = await ift.openModel({ training: true })
    if (!peft) throw new Error('no method')
    for (let i = 0; i < Math.max(...counts); i++) {
      for (const { parameter } of peft.trainable()) {
        const { buf, size } = parameter.master
        backend.write(
          buf,
          Float32Array.from({ length: size }, (_, at) => 0.02 * Math.sin((i + 1) * (at + 1))),
        )
      }
      const name = `a${i}`
      adapter[name] = join(made, name)
      await writeAdapter(join(made, name), await peft.save())
    }
  },
)
const ift = await Ift.load({ cwd, config: { ...config, adapter } })
const open = await ift.openModel()
const generator = await ift.createGenerator(open)
/** Short: what is measured is decoding. */
const prompts = Array.from({ length: batch }, (_, i) => `Question ${i}:`)

/** Seconds of `count` tokens for each of these prompts with the adapter of each. @param {number[]} of @param {(string | null)[]} names @param {number} count */
const seconds = async (of, names, count) => {
  const start = performance.now()
  const asked = of.map((i) => prompts[i] ?? '')
  const adapters = of.map((i) => names[i] ?? null)
  const options = adapters.map((adapter) => ({ maxNewTokens: count, minNewTokens: count, adapter }))
  for (const { ids } of await generator.generateAll(asked, options, { batch: of.length }))
    if (ids.length !== count) throw new Error(`${ids.length} tokens instead of ${count}`)
  return (performance.now() - start) / 1000
}
/** Tokens in a second of batches that run one after the other. @param {number[][]} batches @param {(string | null)[]} names */
const rate = async (batches, names) => {
  let time = 0
  for (const of of batches) time += await seconds(of, names, fresh)
  return (batch * fresh) / time
}
const all = prompts.map((_, i) => i)
await seconds(
  all,
  all.map(() => 'a0'),
  4,
)
const load = loadNow()
/** @type {Map<string, number[]>} */
const rates = new Map()
const note = (/** @type {string} */ what, /** @type {number} */ value) =>
  rates.set(what, [...(rates.get(what) ?? []), value])
for (let round = 0; round < Number(values.rounds); round++) {
  note(
    'base',
    await rate(
      [all],
      all.map(() => null),
    ),
  )
  for (const count of counts) {
    const names = all.map((i) => `a${i % count}`)
    note(`mixed ${count}`, await rate([all], names))
    const alone = Array.from({ length: count }, (_, a) => all.filter((i) => i % count === a)).filter(
      (of) => of.length,
    )
    if (count > 1) note(`alone ${count}`, await rate(alone, names))
  }
}
const { description } = open.backend.device
await ift.close()
rmSync(made, { recursive: true })
const rounded = (/** @type {number} */ value) => Number(value.toFixed(1))
process.stdout.write(
  `${JSON.stringify({
    work: 'decode with several adapters',
    model: values.model,
    dtype: values.dtype,
    quantize: values.quantize,
    method: 'lora r=8, all linear layers',
    batch,
    new_tokens: fresh,
    tokens_per_s: Object.fromEntries([...rates].map(([what, list]) => [what, rounded(median(list))])),
    // Other work on the machine takes time from single rounds.
    best_tokens_per_s: Object.fromEntries(
      [...rates].map(([what, list]) => [what, rounded(Math.max(...list))]),
    ),
    rounds: Object.fromEntries([...rates].map(([what, list]) => [what, list.map(rounded)])),
    threads: Number(values.threads),
    device: description,
    versions: { ift: version, node: process.version },
    machine: machine(load),
    date: new Date().toISOString().slice(0, 10),
  })}\n`,
)
