import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { IftError } from '@ift/core'
import type { ExportResult } from './export-model.js'

/** The part of node-llama-cpp 3 that is used here. */
interface LlamaModule {
  getLlama(options: Readonly<Record<string, unknown>>): Promise<{
    readonly llamaCppRelease: { readonly release: string }
    loadModel(options: Readonly<Record<string, unknown>>): Promise<LlamaModel>
    dispose(): Promise<void>
  }>
}

interface LlamaModel {
  createContext(options: Readonly<Record<string, unknown>>): Promise<{
    getSequence(): {
      controlledEvaluate(
        input: readonly (readonly [number, unknown])[],
      ): Promise<({ readonly next: { readonly probabilities?: ReadonlyMap<number, number> } } | undefined)[]>
    }
  }>
}

const packageName = 'node-llama-cpp'

/** llama.cpp as installed beside the config; IFT_EXPORT_VERIFY with the line that installs it. */
async function loadLlama(rootDir: string): Promise<LlamaModule> {
  let file: string
  try {
    // Its package has no form for require, and so no path that require would give.
    const [first] = createRequire(join(rootDir, 'package.json'))
      .resolve.paths(packageName)!
      .flatMap((folder) => {
        try {
          return [createRequire(import.meta.url).resolve(join(folder, packageName, 'package.json'))]
        } catch {
          return []
        }
      })
    if (first === undefined) throw new Error('not installed')
    file = join(first, '../dist/index.js')
  } catch (cause) {
    throw new IftError(
      'IFT_EXPORT_VERIFY',
      `--verify runs llama.cpp, and ${packageName} is not installed from ${rootDir}.`,
      `npm install -D ${packageName}@3.21.1`,
      { cause },
    )
  }
  return (await import(pathToFileURL(file).href)) as LlamaModule
}

/** Most probabilities may be apart by, of a file that holds the values as they are. */
const exact = 1e-3

/** Runs llama.cpp on a GGUF file and compares what it takes for the next token behind every token of a short text. */
export async function verifyWithLlama(
  { written, readBack, tolerance, probe, rootDir }: ExportResult,
  note: (text: string) => void,
): Promise<boolean> {
  const path = readBack?.weights ?? written[0]!
  if (!path.endsWith('.gguf'))
    throw new IftError(
      'IFT_USAGE',
      '--verify runs llama.cpp, which reads GGUF files.',
      'npx ift export gguf FILE --verify',
    )
  const { ids, logits } = probe
  const library = await loadLlama(rootDir)
  const llama = await library.getLlama({
    ...{
      gpu: false,
      build: 'never',
      skipDownload: true,
      maxThreads: 1,
      progressLogs: false,
      logLevel: 'error',
    },
  })
  try {
    const model = await llama.loadModel({ modelPath: path })
    const context = await model.createContext({
      ...{ contextSize: 128, threads: { ideal: 1, min: 1 }, flashAttention: false },
      // Its own default rounds keys and values to f16.
      ...{ experimentalKvCacheKeyType: 'F32', experimentalKvCacheValueType: 'F32' },
    })
    const generateNext = { probabilities: true, options: { temperature: 1, topK: 0, topP: 1, minP: 0 } }
    const rows = await context
      .getSequence()
      .controlledEvaluate([...ids].map((id) => [id, { generateNext }] as const))
    const vocab = logits.length / ids.length
    let [largest, same] = [0, 0]
    for (const [row, found] of rows.entries()) {
      const own = logits.subarray(row * vocab, (row + 1) * vocab)
      const top = own.reduce((most, one) => Math.max(most, one), -Infinity)
      const sum = own.reduce((total, one) => total + Math.exp(one - top), 0)
      const probabilities = found!.next.probabilities!
      for (const [id, probability] of probabilities)
        largest = Math.max(largest, Math.abs(probability - Math.exp(own[id]! - top) / sum))
      if (own[probabilities.keys().next().value!] === top) same++
    }
    note(
      `llama.cpp ${llama.llamaCppRelease.release}: the same next token behind ${same} of ${ids.length} tokens, largest difference of a probability ${largest.toPrecision(2)}`,
    )
    return Number.isFinite(largest) && (tolerance === null || largest <= Math.max(exact, tolerance ?? 0))
  } finally {
    await llama.dispose()
  }
}
