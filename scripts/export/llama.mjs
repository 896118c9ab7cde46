// @ts-check
// llama.cpp through node-llama-cpp, on one thread.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { llamaCppPackages } from '../../bench/peer-packages.mjs'

const version = '3.21.1'

/** The folder of the library itself, as llama_perplexity.py opens it. */
export function llamaCppLibrary() {
  const scope = join(llamaCppPackages(), 'node_modules/@node-llama-cpp')
  const [system = ''] = readdirSync(scope)
  return join(scope, system, 'bins', system)
}

/** Opens the library; models are opened one after the other. */
export async function llamaCpp() {
  const packages = llamaCppPackages()
  const { getLlama } = await import(
    pathToFileURL(join(packages, 'node_modules/node-llama-cpp/dist/index.js')).href
  )
  const llama = await getLlama({
    ...{
      gpu: false,
      build: 'never',
      skipDownload: true,
      maxThreads: 1,
      progressLogs: false,
      logLevel: 'error',
    },
  })
  const generateNext = { probabilities: true, options: { temperature: 1, topK: 0, topP: 1, minP: 0 } }
  return {
    release: llama.llamaCppRelease.release,
    version,
    close: () => llama.dispose(),
    /** @param {string} path @param {{ lora?: { filePath: string, scale?: number }[] }} [options] */
    async open(path, { lora } = {}) {
      const model = await llama.loadModel({ modelPath: path })
      const context = await model.createContext({
        ...{ contextSize: 256, threads: { ideal: 1, min: 1 }, flashAttention: false },
        // Its own default rounds keys and values to f16.
        ...{ experimentalKvCacheKeyType: 'F32', experimentalKvCacheValueType: 'F32' },
        ...(lora && { lora: { adapters: lora } }),
      })
      const sequence = context.getSequence()
      /** @param {readonly number[]} ids @returns {Promise<Map<number, number>[]>} What may follow behind each token. */
      const probabilities = async (ids) =>
        (await sequence.controlledEvaluate(ids.map((id) => [id, { generateNext }]))).map(
          (/** @type {any} */ one) => one.next.probabilities,
        )
      return {
        /**
         * The likeliest tokens behind a prompt, and what may follow behind every token.
         * @param {readonly number[]} prompt
         * @param {number} steps
         */
        async greedy(prompt, steps) {
          await sequence.clearHistory()
          const ids = [...prompt]
          const rows = await probabilities(prompt)
          for (let step = 0; step < steps - 1; step++) {
            const next = /** @type {number} */ (rows.at(-1)?.keys().next().value)
            ids.push(next)
            rows.push(...(await probabilities([next])))
          }
          return { ids, rows }
        },
        /** @param {string} text @returns {number[]} */
        tokenize: (text) => model.tokenize(text, false),
        async close() {
          await context.dispose()
          await model.dispose()
        },
      }
    },
  }
}
