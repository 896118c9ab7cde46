// @ts-check
// llama.cpp by node-llama-cpp as an engine of bench/requests.mjs, with the library of its own for this processor.
//   node bench/peers/node_llama_cpp.mjs --packages FOLDER_WITH_NODE_MODULES --weights MODEL.gguf --threads 2 --sequences 32 --context 640
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { serveRequests } from '../requests.mjs'

const { values } = parseArgs({
  options: {
    packages: { type: 'string', default: '.' },
    weights: { type: 'string', default: '' },
    threads: { type: 'string', default: '2' },
    sequences: { type: 'string', default: '32' },
    context: { type: 'string', default: '640' },
  },
})
const folder = join(values.packages, 'node_modules/node-llama-cpp')
const { getLlama, LlamaLogLevel, getModuleVersion } = await import(
  pathToFileURL(join(folder, 'dist/index.js')).href
)
const threads = Number(values.threads)
const sequences = Number(values.sequences)
const llama = await getLlama({
  ...{ gpu: false, build: 'never', skipDownload: true, maxThreads: threads },
  ...{ logLevel: LlamaLogLevel.error, progressLogs: false },
})
const model = await llama.loadModel({ modelPath: values.weights })
const context = await model.createContext({
  sequences,
  contextSize: Number(values.context),
  batchSize: 512,
  threads: { ideal: threads, min: threads },
})
const free = Array.from({ length: sequences }, () => context.getSequence())
const about = {
  'node-llama-cpp': await getModuleVersion(),
  'llama.cpp': llama.llamaCppRelease.release,
  system: llama.systemInfo,
}
await serveRequests(about, async ({ prompt, tokens }, onToken) => {
  const sequence = free.pop()
  if (!sequence) throw new Error(`more than ${sequences} requests at a time`)
  const ids = []
  for await (const id of sequence.evaluate(prompt, { temperature: 0, yieldEogToken: true })) {
    onToken()
    if (ids.push(id) === tokens) break
  }
  await sequence.clearHistory()
  free.push(sequence)
  return { tokens: ids.length, text: model.detokenize(ids) }
})
await llama.dispose()
