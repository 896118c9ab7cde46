// @ts-check
// Greedy answers of llama.cpp, by node-llama-cpp: prompts come as a JSON list of texts on standard input, and for each goes a line of JSON
// { ids, answer, top } to standard output: ids of the prompt, ids behind it with the one that ends it, and at each place of the answer the two
// likeliest with their log-probabilities.
//   node scripts/real-models/llama-cpp-answers.mjs --packages FOLDER_WITH_NODE_MODULES --weights MODEL.gguf --tokens 32
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    packages: { type: 'string', default: '.' },
    weights: { type: 'string', default: '' },
    tokens: { type: 'string', default: '32' },
  },
})
/** @type {string[]} */
const prompts = JSON.parse(await text(process.stdin))
const { getLlama, LlamaLogLevel } = await import(
  pathToFileURL(join(values.packages, 'node_modules/node-llama-cpp/dist/index.js')).href
)
const llama = await getLlama({
  ...{ gpu: false, build: 'never', skipDownload: true, maxThreads: 1 },
  ...{ logLevel: LlamaLogLevel.error, progressLogs: false },
})
const model = await llama.loadModel({ modelPath: values.weights, useMmap: true })
const context = await model.createContext({
  ...{ sequences: 1, contextSize: 256, batchSize: 256, threads: { ideal: 1, min: 1 }, flashAttention: false },
  // Keys and values are not rounded either.
  ...{ experimentalKvCacheKeyType: 'F32', experimentalKvCacheValueType: 'F32' },
})
const sequence = context.getSequence()
for (const prompt of prompts) {
  const own = model.tokenize(prompt, false)
  const ids = model.tokens.shouldPrependBosToken ? [model.tokens.bos, ...own] : [...own]
  const answer = []
  const top = []
  // Without temperature nothing is cut: the probabilities are of the whole vocabulary, the likeliest first.
  const options = { temperature: 0, yieldEogToken: true }
  for await (const { token, probabilities } of sequence.evaluateWithMetadata(
    ids,
    { probabilities: true },
    options,
  )) {
    const likeliest = [...probabilities].slice(0, 2).map(([id, p]) => [id, Math.log(p)])
    answer.push(token)
    top.push(likeliest)
    if (answer.length === Number(values.tokens) || model.isEogToken(token)) break
  }
  await sequence.clearHistory()
  process.stdout.write(`${JSON.stringify({ ids, answer, top })}\n`)
}
await llama.dispose()
