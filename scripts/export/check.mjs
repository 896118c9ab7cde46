// @ts-check
// Runs llama.cpp on what ift exports: a tiny model of every family in f32 and q8_0, its tokens, and an adapter beside its base.
//   node scripts/export/check.mjs [--only llama,qwen2] [--out scripts/export/result.json]
// node-llama-cpp is installed into the cache of the benches (~/.cache/ift-bench). Packages must be built.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Ift, probeLogits, version } from '@ift/core'
import { exportModel } from '@ift/export'
import { llamaCpp } from './llama.mjs'
import { makeTinyAdapter, makeTinyModel, subjects } from './tiny-models.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const { values } = parseArgs({ options: { only: { type: 'string' }, out: { type: 'string' } } })
const names = values.only?.split(',') ?? Object.keys(subjects)
const lines = JSON.parse(readFileSync(join(root, 'fixtures/real-tokenizers/lines.json'), 'utf8'))
/** Modules that an adapter is put onto, of families whose rows or matrices lie otherwise in a file. */
const adapted = {
  llama: ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'down_proj'],
  internlm2: ['wqkv', 'w2'],
  qwen3: ['q_proj', 'v_proj'],
  baichuan: ['W_pack'],
  bloom: ['query_key_value', 'dense'],
  chatglm3: ['query_key_value', 'dense_4h_to_h'],
  gemma3: ['q_proj', 'o_proj'],
  phi3: ['qkv_proj', 'gate_up_proj'],
}
const prompt = 'The sky is blue because 12 + 30 = 42.'
const steps = 32
/** llama.cpp takes the values of GELU from a table of halves. */
const gelu = new Set(['bloom', 'gemma', 'gemma3'])

/** @param {string} weights */
const session = (weights) => ({
  cwd: root,
  config: { weights, dtype: /** @type {const} */ ('f32'), device: 'cpu' },
})

/** How far llama.cpp is from ift over the tokens that it chooses itself. @param {Float32Array} logits @param {number[]} ids @param {Map<number, number>[]} rows @param {number} first */
function compare(logits, ids, rows, first) {
  const vocab = logits.length / ids.length
  let largest = 0
  let same = 0
  for (let row = 0; row < ids.length; row++) {
    const own = logits.subarray(row * vocab, (row + 1) * vocab)
    const top = own.reduce((a, b) => Math.max(a, b), -Infinity)
    const sum = own.reduce((a, b) => a + Math.exp(b - top), 0)
    for (const [id, probability] of rows[row] ?? [])
      largest = Math.max(largest, Math.abs(probability - Math.exp((own[id] ?? 0) - top) / sum))
    if (row >= first && own[rows[row]?.keys().next().value ?? -1] === top) same++
  }
  return { largest, same }
}

const dir = mkdtempSync(join(tmpdir(), 'ift-export-check-'))
const llama = await llamaCpp()
/** @type {Record<string, unknown>} */
const results = {}
let failed = 0
try {
  for (const name of names) {
    const weights = join(dir, name)
    await makeTinyModel(weights, name)
    /** @type {Record<string, unknown>} */
    const result = {}
    results[name] = result
    for (const [type, most] of /** @type {const} */ ([
      ['f32', 1e-4],
      ['q8_0', 1e-2],
    ])) {
      try {
        const out = join(dir, `${name}-${type}.gguf`)
        const { difference } = await exportModel(session(weights), { format: 'gguf', out, options: { type } })
        const model = await llama.open(out)
        // A file of blocks has other values; what is compared is how it is read.
        const from = type === 'f32' ? weights : out
        await Ift.using(session(from), async (ift) => {
          const open = await ift.openModel()
          const encoded = [...(await open.tokenizer.encode(prompt)).ids]
          const { bosId, addBos } = open.tokenizer
          const start = addBos && bosId !== null ? [bosId, ...encoded] : encoded
          const { ids, rows } = await model.greedy(start, steps)
          const { largest, same } = compare(
            await probeLogits(open, Int32Array.from(ids)),
            ids,
            rows,
            start.length - 1,
          )
          const count = ids.length - start.length + 1
          const limit = type === 'f32' && gelu.has(name) ? 1e-3 : most
          const ok = largest <= limit && (type !== 'f32' || same === count)
          result[type] = {
            probability: largest,
            greedy: `${same} of ${count}`,
            readBack: difference?.logit,
            ok,
          }
          if (!ok) failed++
          if (type === 'f32') {
            const wrong = []
            for (const line of lines.filter((/** @type {string} */ one) => one === one.normalize('NFC'))) {
              const own = [...(await open.tokenizer.encode(line)).ids]
              if (own.join() !== model.tokenize(line).join()) wrong.push(line)
            }
            result['tokens'] = { other: wrong.length, examples: wrong.slice(0, 5) }
            if (wrong.length > 0) failed++
          }
        })
        await model.close()
      } catch (error) {
        failed++
        result[type] = { ok: false, error: error instanceof Error ? error.message : String(error) }
      }
    }
    const targets = adapted[/** @type {keyof typeof adapted} */ (name)]
    if (targets) {
      const adapter = join(dir, `${name}-lora`)
      await makeTinyAdapter(adapter, name, weights, targets)
      const [merged, lora] = [join(dir, `${name}-merged.gguf`), join(dir, `${name}-lora.gguf`)]
      const config = { ...session(weights).config, adapter }
      await exportModel({ cwd: root, config }, { format: 'gguf', out: merged, options: { type: 'f32' } })
      await exportModel({ cwd: root, config }, { format: 'gguf-adapter', out: lora })
      const start = [1, 5, 9, 20, 33, 41, 57]
      const answers = []
      for (const [file, options] of /** @type {const} */ ([
        [merged, {}],
        [join(dir, `${name}-f32.gguf`), { lora: [{ filePath: lora }] }],
        [join(dir, `${name}-f32.gguf`), {}],
      ])) {
        const model = await llama.open(file, /** @type {any} */ (options))
        answers.push(await model.greedy(start, steps))
        await model.close()
      }
      const [whole, beside, base] = answers
      const apart = (/** @type {typeof whole} */ one) => {
        let largest = 0
        for (let row = 0; row < start.length; row++)
          for (const [id, p] of whole?.rows[row] ?? [])
            largest = Math.max(largest, Math.abs(p - (one?.rows[row]?.get(id) ?? NaN)))
        return largest
      }
      const changes = apart(base)
      const probability = apart(beside)
      const ok = whole?.ids.join() === beside?.ids.join() && changes > 1e-3 && probability <= 1e-4
      result['adapter'] = { probability, changes, ok }
      if (!ok) failed++
    }
    console.log(name, JSON.stringify(result))
  }
} finally {
  await llama.close()
  rmSync(dir, { recursive: true })
}
const record = {
  ift: version,
  'llama.cpp': llama.release,
  'node-llama-cpp': llama.version,
  node: process.version,
  prompt,
  steps,
  results,
}
if (values.out) writeFileSync(values.out, `${JSON.stringify(record, null, 2)}\n`)
console.log(failed === 0 ? 'all as expected' : `${failed} differ`)
process.exitCode = failed === 0 ? 0 : 1
