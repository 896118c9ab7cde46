// @ts-check
// Planned bytes against the allocator's peak, for the shape of SmolLM2-135M with random weights and one method of each mechanism. Every
// run opens a session, plans, and trains a step of about 900 tokens.   node bench/memory-plan.mjs [--vocabulary 2048] [--out results.json]
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Ift } from '@ift/core'

const { values } = parseArgs({
  options: {
    out: { type: 'string' },
    layers: { type: 'string', default: '30' },
    vocabulary: { type: 'string', multiple: true, default: ['2048', '49152'] },
  },
})
const quickstart = fileURLToPath(new URL('../examples/quickstart', import.meta.url))
const dir = mkdtempSync(join(tmpdir(), 'ift-memory-plan-'))

/** @type {Record<string, NonNullable<import('@ift/core').IftConfig['peft']>>} */
const mechanisms = {
  'weight update': { method: 'lora', r: 8 },
  branch: { method: 'houlsby' },
  'input rows': { method: 'prompt-tuning', virtualTokens: 20 },
  'key/value prefix': { method: 'prefix-tuning', virtualTokens: 20 },
  'whole parameters': { method: 'ln-tuning' },
  'full training': { method: 'none' },
}

/** A folder with the model's shape and the tokenizer of the quick start. */
function model(/** @type {number} */ vocabulary) {
  const folder = join(dir, `model-${vocabulary}`)
  cpSync(join(quickstart, 'model'), folder, { recursive: true })
  const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'))
  const sizes = {
    ...{ hidden_size: 576, intermediate_size: 1536, num_hidden_layers: Number(values.layers) },
    ...{ num_attention_heads: 9, num_key_value_heads: 3, head_dim: 64, vocab_size: vocabulary },
  }
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, ...sizes }))
  // Tokens that no text has, up to the rows of the embedding.
  const tokenizer = JSON.parse(readFileSync(join(folder, 'tokenizer.json'), 'utf8'))
  const known = Object.keys(tokenizer.model.vocab).length
  for (let id = known; id < vocabulary; id++) tokenizer.model.vocab[`<unused-${id}>`] = id
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(tokenizer))
  return folder
}

const rows = []
for (const vocabulary of values.vocabulary.map(Number)) {
  const weights = model(vocabulary)
  for (const [mechanism, peft] of Object.entries(mechanisms))
    for (const dtype of /** @type {const} */ (['f32', 'bf16']))
      for (const recompute of /** @type {const} */ (['none', 'all'])) {
        const output = join(dir, `run-${rows.length}`)
        const ift = await Ift.load({
          cwd: fileURLToPath(new URL('..', import.meta.url)),
          config: {
            ...{
              weights,
              initialize: true,
              data: [join(quickstart, 'data/bilingual.jsonl')],
              template: 'alpaca',
            },
            ...{ maxLength: 512, dtype, device: 'cpu', peft, output },
            train: {
              batchSize: 16,
              maxSteps: 1,
              saveEvery: 0,
              evalEvery: 0,
              microBatchTokens: 1024,
              recompute,
            },
            validation: { size: 0 },
          },
        })
        try {
          const training = await ift.createTraining()
          await training.run()
          const { peak, mapped } = training.open.backend.memory()
          const planned = training.plan.total
          const ratio = Number((planned / (peak + mapped)).toFixed(4))
          rows.push({ vocabulary, mechanism, method: peft.method, dtype, recompute, planned, peak, ratio })
          console.log(JSON.stringify(rows.at(-1)))
        } finally {
          await ift.close()
          rmSync(output, { recursive: true, force: true })
        }
      }
}
rmSync(dir, { recursive: true })
if (values.out)
  writeFileSync(
    values.out,
    `${JSON.stringify({ model: 'SmolLM2-135M', layers: Number(values.layers), node: process.version, rows }, null, 2)}\n`,
  )
const worst = rows.reduce((most, { ratio }) => Math.max(most, Math.abs(ratio - 1)), 0)
console.log(`${rows.length} runs, the plan is at most ${(100 * worst).toFixed(2)} % off`)
process.exitCode = worst > 0.1 ? 1 : 0
