// @ts-check
// SmolLM2-135M-Instruct, exported and read by llama.cpp: perplexity of a text in every type, and after some steps of training the answers to
// twenty questions.
//   node scripts/real-models/fetch.mjs          # the model, once
//   node scripts/export/check-real.mjs [--bytes 50000] [--steps 20] [--questions 20] [--types f32,q8_0,q4_k_m] [--out scripts/export/real.json]
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { encodePrompt, Ift, probeLogits, version } from '@ift/core'
import { exportModel } from '@ift/export'
import { pythonWith } from '../../bench/peer-packages.mjs'
import { realModel } from '../real-models/cache.mjs'
import { llamaCpp, llamaCppLibrary } from './llama.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const { values } = parseArgs({
  options: {
    bytes: { type: 'string', default: '50000' },
    steps: { type: 'string', default: '20' },
    questions: { type: 'string', default: '20' },
    types: { type: 'string', default: 'f32,f16,bf16,q8_0,q6_k,q5_0,q4_k_m,q4_0' },
    out: { type: 'string' },
  },
})
const folder = realModel('smollm2-135m-instruct')
if (!folder) throw new Error('SmolLM2 is not there: node scripts/real-models/fetch.mjs')
const weights = join(folder, readdirSync(folder).find((name) => name.endsWith('.gguf')) ?? '')
// What this repository says of itself, of which no model has seen much.
const text = readdirSync(join(root, 'docs'))
  .filter((name) => name.endsWith('.md') && !name.includes('zh'))
  .sort()
  .map((name) => readFileSync(join(root, 'docs', name), 'utf8'))
  .join('\n')
  .slice(0, Number(values.bytes))
const window = 128

/** @param {Record<string, unknown>} further */
const session = (further) => ({
  cwd: root,
  config: { dtype: /** @type {const} */ ('f32'), device: 'cpu', ...further },
})
/** @param {ArrayLike<number>} ids */
const windows = (ids) =>
  Array.from({ length: Math.floor(ids.length / window) }, (_, i) =>
    Array.prototype.slice.call(ids, i * window, (i + 1) * window),
  )

/** Perplexity as ift computes it, each window alone. @param {string} path */
const own = (path) =>
  Ift.using(session({ weights: path }), async (ift) => {
    const open = await ift.openModel()
    const { ids } = await open.tokenizer.encode(text)
    let [loss, count] = [0, 0]
    for (const part of windows(ids)) {
      const logits = await probeLogits(open, Int32Array.from(part))
      const vocab = logits.length / part.length
      for (let row = 0; row + 1 < part.length; row++, count++) {
        const from = row * vocab
        let [top, sum] = [-Infinity, 0]
        for (let i = from; i < from + vocab; i++) top = Math.max(top, /** @type {number} */ (logits[i]))
        for (let i = from; i < from + vocab; i++) sum += Math.exp(/** @type {number} */ (logits[i]) - top)
        loss += top + Math.log(sum) - (logits[from + part[row + 1]] ?? NaN)
      }
    }
    return { perplexity: Math.exp(loss / count), ids: [...ids], tokens: count }
  })

const dir = mkdtempSync(join(tmpdir(), 'ift-real-'))
const llama = await llamaCpp()
const [python, library] = [pythonWith(['numpy']), llamaCppLibrary()]
/** @type {Record<string, unknown>} */
const perplexities = {}
/** @type {unknown[]} */
const answers = []
let failed = 0
try {
  const base = await own(weights)
  perplexities['ift'] = { perplexity: base.perplexity, tokens: base.tokens }
  for (const type of values.types.split(',').filter(Boolean)) {
    const out = join(dir, `${type}.gguf`)
    const started = Date.now()
    const { difference } = await exportModel(session({ weights }), { format: 'gguf', out, options: { type } })
    const seconds = Math.round((Date.now() - started) / 1000)
    const { loss, count } = JSON.parse(
      execFileSync(python, [join(root, 'scripts/export/llama_perplexity.py'), library, out], {
        ...{ encoding: 'utf8', input: JSON.stringify(windows(base.ids)) },
        stdio: ['pipe', 'pipe', 'inherit'],
      }),
    )
    const theirs = Math.exp(loss / count)
    const read = type === 'f32' ? base.perplexity : (await own(out)).perplexity
    const apart = Math.abs(theirs / read - 1)
    const ok = apart <= (type === 'f32' ? 5e-4 : 1e-2)
    if (!ok) failed++
    perplexities[type] = {
      ift: read,
      llamaCpp: theirs,
      apart,
      againstBase: theirs / base.perplexity - 1,
      kl: difference?.meanKl,
      seconds,
      ok,
    }
    console.log(type, JSON.stringify(perplexities[type]))
    rmSync(out)
  }

  const adapter = await Ift.using(
    session({
      ...{
        weights,
        data: [{ path: join(root, 'examples/quickstart/data/bilingual.jsonl') }],
        output: join(dir, 'run'),
        template: 'alpaca',
      },
      ...{
        peft: { method: 'lora', r: 8 },
        train: { maxSteps: Number(values.steps), batchSize: 8, learningRate: 1e-3 },
        maxLength: 256,
      },
    }),
    async (ift) => {
      await (await ift.createTraining()).run()
      return join(dir, 'run', 'adapter')
    },
  )
  const tuned = join(dir, 'tuned.gguf')
  await exportModel(session({ adapter }), { format: 'gguf', out: tuned, options: { type: 'f32' } })
  const rows = readFileSync(join(root, 'examples/quickstart/data/bilingual.jsonl'), 'utf8')
    .split('\n')
    .filter(Boolean)
  const model = await llama.open(tuned)
  await Ift.using(session({ adapter }), async (ift) => {
    const open = await ift.openModel()
    for (const row of rows.slice(0, Number(values.questions))) {
      const { instruction, input = '' } = JSON.parse(row)
      const prompt = await encodePrompt({ instruction, input, output: '' }, open.template, open.tokenizer)
      const { ids } = await model.greedy([...prompt], 32)
      const logits = await probeLogits(open, Int32Array.from(ids))
      const vocab = logits.length / ids.length
      // Up to where both end: what comes behind, nobody reads.
      const end = ids.findIndex((id, i) => i >= prompt.length && open.ends.has(id))
      const last = end < 0 ? ids.length : end + 1
      let tie = null
      for (let at = prompt.length; at < last && tie === null; at++) {
        const scores = logits.subarray((at - 1) * vocab, at * vocab)
        const top = scores.reduce((a, b) => Math.max(a, b), -Infinity)
        const gap = top - (scores[ids[at] ?? 0] ?? NaN)
        if (gap > 0) tie = { at: at - prompt.length, gap }
      }
      const ok = tie === null || tie.gap < 1e-3
      if (!ok) failed++
      answers.push({ question: instruction.slice(0, 60), tokens: last - prompt.length, tie, ok })
      console.log(JSON.stringify(answers.at(-1)))
    }
  })
  await model.close()
} finally {
  await llama.close()
  rmSync(dir, { recursive: true })
}
const sha256 = createHash('sha256').update(text).digest('hex')
const record = {
  ift: version,
  'llama.cpp': llama.release,
  text: { characters: text.length, sha256, window },
  perplexities,
  steps: Number(values.steps),
  answers,
}
if (values.out) writeFileSync(values.out, `${JSON.stringify(record, null, 2)}\n`)
console.log(failed === 0 ? 'all as expected' : `${failed} differ`)
process.exitCode = failed === 0 ? 0 : 1
