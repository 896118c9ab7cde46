// @ts-check
// Greedy answers of ift and of llama.cpp to 20 prompts, both in float32: equal up to the first place where llama.cpp's two likeliest tokens are
// nearly tied. Prints them and writes bench/results/DATE-greedy-llama-cpp-NAME.json; ends with 1 where one differs before.
//   node scripts/real-models/llama-cpp.mjs NAME [--tokens 32] [--prompts 20] [--answers FILE] [--out FILE]
// NAME: a model that scripts/real-models/fetch has brought. node-llama-cpp comes by bench/peer-packages.mjs. ift reads the file as it is and
// writes its blocks out; llama.cpp reads a copy in F32 (f32-gguf.mjs), because it rounds what it multiplies blocks with to 8 bits. --answers: where llama.cpp's answers are kept, and
// taken from when they are there.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { llamaCppPackages } from '../../bench/peer-packages.mjs'
import { Ift } from '../../packages/core/dist/index.js'
import { catalog, realModel } from './cache.mjs'
import { writeF32 } from './f32-gguf.mjs'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    tokens: { type: 'string', default: '32' },
    prompts: { type: 'string', default: '20' },
    answers: { type: 'string' },
    out: { type: 'string' },
  },
})
const [name = ''] = positionals
const folder = catalog.has(name) ? realModel(name) : null
if (folder === null) {
  console.error(
    'node scripts/real-models/llama-cpp.mjs NAME: a fetched model with a GGUF file (fetch --list)',
  )
  process.exit(2)
}
const file = join(folder, readdirSync(folder).find((one) => one.endsWith('.gguf')) ?? '')
const tokens = Number(values.tokens)
/** Difference of the log-probabilities of the two likeliest tokens below which either may come first. */
const nearTie = 1e-3

const prompts = [
  'The capital of France is',
  'Water boils at',
  'Once upon a time, there was a',
  'The three primary colours are',
  'def fibonacci(n):\n',
  'Q: What is 12 + 30?\nA:',
  '1, 2, 3, 4, 5,',
  'Dear Sir or Madam,\n\nI am writing to',
  'The quick brown fox jumps over the',
  'Machine learning is a branch of',
  'To make bread you need flour,',
  'In 1969, astronauts landed on',
  'Roses are red, violets are',
  'SELECT name FROM users WHERE',
  'The opposite of hot is',
  'Paris, London, Berlin and Madrid are',
  'The largest planet in the solar system is',
  'Shakespeare wrote plays such as',
  '<p>Hello, <b>world</b></p>\n<ul>\n',
  'My favourite season is autumn because',
].slice(0, Number(values.prompts))

/** @typedef {readonly [id: number, logProb: number]} Likely @typedef {{ ids: number[], answer: number[], top: Likely[][] }} Answer */

/** What llama.cpp answers, in a process of its own. @param {string} weights @returns {Promise<Answer[]>} */
async function llamaAnswers(weights) {
  const script = fileURLToPath(new URL('llama-cpp-answers.mjs', import.meta.url))
  const args = ['--packages', llamaCppPackages(), '--weights', weights, '--tokens', String(tokens)]
  const child = spawn(process.execPath, [script, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.end(JSON.stringify(prompts))
  /** @type {Answer[]} */
  const answers = []
  for await (const line of createInterface({ input: child.stdout })) {
    answers.push(JSON.parse(line))
    process.stderr.write(`\rllama.cpp ${answers.length} of ${prompts.length} `)
  }
  process.stderr.write('\n')
  if (answers.length !== prompts.length) throw new Error(`llama.cpp answered ${answers.length} prompts`)
  return answers
}

/** @returns {Promise<Answer[]>} */
async function answersOfModel() {
  if (values.answers !== undefined && existsSync(values.answers))
    return JSON.parse(readFileSync(values.answers, 'utf8'))
  const work = mkdtempSync(join(tmpdir(), 'ift-llama-cpp-'))
  try {
    const f32 = join(work, 'f32.gguf')
    await writeF32(file, f32)
    const answers = await llamaAnswers(f32)
    if (values.answers !== undefined) writeFileSync(values.answers, JSON.stringify(answers))
    return answers
  } finally {
    rmSync(work, { recursive: true })
  }
}
const answers = await answersOfModel()

const ift = await Ift.load({
  cwd: fileURLToPath(new URL('../..', import.meta.url)),
  config: { weights: file, device: 'cpu', dtype: 'f32', quantize: 'none' },
})
const open = await ift.openModel()
const generator = await ift.createGenerator(open)
const rows = []
for (const [i, { ids, answer: theirs, top }] of answers.entries()) {
  const own = await generator.encode(prompts[i] ?? '')
  const sameIds = [...own].join() === ids.join()
  const { ids: given } = await generator.generate(Int32Array.from(ids), {
    maxNewTokens: tokens,
    doSample: false,
  })
  // Where ift ends, llama.cpp has a token that ends, which is not among ift's ids.
  const ended = given.length < tokens && theirs.length === given.length + 1
  let equal = 0
  while (equal < given.length && given[equal] === theirs[equal]) equal++
  const different = !(equal === theirs.length || (ended && equal === given.length))
  const gapAt = (/** @type {number} */ at) => (top[at]?.[0]?.[1] ?? NaN) - (top[at]?.[1]?.[1] ?? NaN)
  // Only what stands before the first near tie can be asked of both.
  const tie = theirs.findIndex((_, at) => gapAt(at) < nearTie)
  const place = different ? equal : tie
  const agrees = sameIds && (!different || (tie >= 0 && tie <= equal))
  const named = (/** @type {number | undefined} */ id) =>
    id === undefined ? null : (open.tokenizer.token(id) ?? null)
  const at =
    place < 0
      ? null
      : {
          place,
          gap: gapAt(place),
          theirs: named(theirs[place]),
          ift: named(given[place]),
          two: top[place]?.map(([id]) => named(id)),
        }
  rows.push({ prompt: prompts[i], sameIds, tokens: theirs.length, equal, agrees, ...(at && { at }) })
  console.log(
    `${agrees ? 'ok  ' : 'DIFF'} ${JSON.stringify(prompts[i])}: ${sameIds ? '' : 'other ids, '}${equal} of ${theirs.length} equal` +
      (at
        ? `; at ${at.place} ${JSON.stringify(at.two)} are ${at.gap.toExponential(1)} apart, ift ${JSON.stringify(at.ift)}`
        : ''),
  )
}
await ift.close()
const good = rows.filter(({ agrees }) => agrees).length
const whole = rows.filter(({ equal, tokens }) => equal >= tokens - 1).length
const text = `${name}: ${good} of ${rows.length} answers are llama.cpp's up to the first near tie (${nearTie}), ${whole} of them to their end`
console.log(text)
const date = new Date().toISOString().slice(0, 10)
const out =
  values.out ??
  fileURLToPath(new URL(`../../bench/results/${date}-greedy-llama-cpp-${name}.json`, import.meta.url))
const versions = { 'node-llama-cpp': '3.21.1', dtype: 'f32', tokens, nearTie }
writeFileSync(out, `${JSON.stringify({ work: text, model: name, ...versions, rows, date }, null, 1)}\n`)
process.exitCode = good === rows.length ? 0 : 1
