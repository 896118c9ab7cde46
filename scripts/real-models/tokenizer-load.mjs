// @ts-check
// Seconds that each published tokenizer takes to load and to encode a first line: the median of three processes of their own.
//   scripts/real-models/fetch tokenizer-qwen3       # each tokenizer, once
//   node scripts/real-models/tokenizer-load.mjs
import { execFileSync } from 'node:child_process'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { catalog, realModel } from './cache.mjs'

const [folder] = process.argv.slice(2)
if (folder) {
  const { loadTokenizer } = await import('@ift/tokenizers')
  const start = performance.now()
  const tokenizer = await loadTokenizer(folder)
  const loaded = performance.now()
  await tokenizer.encode('The capital of France is Paris.')
  console.log(JSON.stringify([loaded - start, performance.now() - start].map((ms) => ms / 1000)))
} else
  for (const name of [...catalog.keys()].filter((one) => one.startsWith('tokenizer-'))) {
    const path = realModel(name)
    if (!path) {
      console.log(`${name}: not there (scripts/real-models/fetch ${name})`)
      continue
    }
    /** @returns {[number, number]} */
    const run = () =>
      JSON.parse(execFileSync(process.execPath, [fileURLToPath(import.meta.url), path], { encoding: 'utf8' }))
    const times = [run(), run(), run()].sort((a, b) => a[1] - b[1])
    const [loaded, encoded] = times[1] ?? [NaN, NaN]
    console.log(`${name}: loaded in ${loaded.toFixed(2)} s, first line after ${encoded.toFixed(2)} s`)
  }
