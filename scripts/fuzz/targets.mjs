// What is read, by whom, and from which files mutations start.

import { createHash } from 'node:crypto'
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import {
  createChatTemplate,
  exactJson,
  Ift,
  openAdapter,
  openCheckpoint,
  openGguf,
  openSafetensors,
  openTorch,
  readRecords,
  readStored,
} from '@ift/core'
import { bottleneck, houlsby, parallel, pfeiffer } from '@ift/peft-adapters'
import { gpt2, sentencePiece, tokenizerJson } from '@ift/tokenizers'
import { mutateBytes, mutateGzip, mutateJson, mutateLines, mutateSafetensors } from './mutate.mjs'

/**
 * @typedef {object} Target
 * @property {string} name
 * @property {readonly string[]} seeds Folders, or files, of the fixtures.
 * @property {Readonly<Record<string, import('./mutate.mjs').Mutation>>} files How each file of a seed is changed, by its name or its ending.
 * @property {number} weight
 * @property {(path: string) => Promise<string | null>} read What was read, in short; null where there is nothing to compare.
 * @property {string} [reference] Who else reads it, in reference.py.
 */

export const fixtures = fileURLToPath(new URL('../../fixtures', import.meta.url))

const sha = (...parts) => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest('hex')
}

function bytesOf({ file, offset, bytes }) {
  const opened = openSync(file, 'r')
  try {
    const buffer = Buffer.alloc(bytes)
    readSync(opened, buffer, 0, bytes, offset)
    return buffer
  } finally {
    closeSync(opened)
  }
}

/** Names, types, shapes and contents. */
async function digestOf(tensors, read) {
  const lines = []
  for (const [name, tensor] of tensors)
    lines.push(`${name} ${tensor.dtype} [${tensor.shape.join(',')}] ${sha(await read(tensor))}`)
  return sha(lines.sort().join('\n'))
}

const text = 'Hello, wörld! 12345\n\tdef f(x): return x'
/** Ids of a text, or what it throws. */
async function tokenize(definition, dir) {
  const tokenizer = await definition.load(dir)
  return JSON.stringify([...(await tokenizer.encode(text)).ids])
}

async function readData(path) {
  const records = []
  for await (const { record } of readRecords(path)) records.push(exactJson(record))
  return String(records.length)
}

/** Loads a model and runs it. */
async function score(config) {
  const ift = await Ift.load({ config: { device: 'cpu', threads: 1, ...config } })
  try {
    await (await ift.createGenerator()).score([1, 2, 3])
    return null
  } finally {
    await ift.close()
  }
}

/** What the run in the seed of `run` was begun with. */
export const runConfig = (dir) => ({
  device: 'cpu',
  threads: 1,
  weights: join(fixtures, 'bloom/tiny'),
  data: [join(process.env['IFT_FUZZ'] ?? '', 'rows.jsonl')],
  template: 'alpaca',
  output: dir,
  train: { maxSteps: 2, batchSize: 4, saveEvery: 1 },
})

/** The list that makes the files of a folder count, as ift writes it. */
function rehash(dir) {
  const files = {}
  for (const name of readdirSync(dir, { recursive: true })) {
    if (name === 'hashes.json' || !statSync(join(dir, name)).isFile()) continue
    const content = readFileSync(join(dir, name))
    files[name] = { bytes: content.length, sha256: sha(content) }
  }
  writeFileSync(join(dir, 'hashes.json'), JSON.stringify({ files }))
}

/** Goes on from the checkpoint of a run. Its list of hashes is made anew, as who writes such a file would, unless it was changed itself. */
async function resume(dir) {
  const checkpoint = join(dir, 'checkpoints/step-1')
  if (!existsSync(join(dir, 'hashes changed'))) rehash(checkpoint)
  const ift = await Ift.load({ config: runConfig(dir) })
  try {
    await ift.createTraining({ resume: checkpoint })
    return null
  } finally {
    await ift.close()
  }
}

/** Nobody else reads it. */
const nothing = () => null

export const rows = Array.from({ length: 8 }, (_, i) => ({
  instruction: `say ${i}`,
  input: i % 2 ? 'wörld' : '',
  output: `number ${i * 1.5}`,
}))
const chat = rows.map(({ instruction, output }) => ({
  messages: [
    { role: 'user', content: instruction },
    { role: 'assistant', content: output },
  ],
}))
const jsonl = (records) => records.map((record) => JSON.stringify(record)).join('\n') + '\n'
const csv = `instruction,output\n${rows.map(({ instruction, output }) => `"${instruction}, ""please""",${output}`).join('\n')}\n`
/** A seed that is no fixture. */
const made = (name, content) => ({ name, content: Buffer.from(content) })

/** A frame of one block that holds its content as it is (RFC 8878). */
function zstd(content) {
  const header = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0, 0, 0, 0])
  header.writeUInt32LE(content.length, 5)
  header.writeUIntLE((content.length << 3) | 1, 9, 3)
  return Buffer.concat([header, Buffer.from(content)])
}

/** Folders of the families' fixtures that hold a model. */
const families = [
  'baichuan',
  'bloom',
  'chatglm',
  'gemma',
  'internlm',
  'llama-variants',
  'moss',
  'phi',
  'qwen',
].flatMap((family) =>
  readdirSync(join(fixtures, family))
    .map((name) => `${family}/${name}`)
    // ChatGLM-6B asks its tokenizer for tokens.
    .filter((folder) => folder !== 'chatglm/chatglm1' && existsSync(join(fixtures, folder, 'config.json')))
    .slice(0, 3),
)

/** @type {readonly Target[]} */
export const targets = [
  {
    name: 'safetensors',
    seeds: ['checkpoint/single/model.safetensors', 'checkpoint/bf16/model.safetensors'],
    files: { '.safetensors': mutateSafetensors },
    weight: 4,
    read: async (path) => digestOf((await openSafetensors(path)).tensors, readStored),
    reference: 'safetensors',
  },
  {
    name: 'torch',
    seeds: [
      'checkpoint/bin/pytorch_model.bin',
      'checkpoint/bin-legacy/pytorch_model.bin',
      'checkpoint/layouts/zip.bin',
    ],
    files: { '.bin': mutateBytes },
    weight: 5,
    read: async (path) => digestOf((await openTorch(path)).tensors, readStored),
    reference: 'torch',
  },
  {
    name: 'gguf',
    seeds: ['checkpoint/gguf/mixed.gguf', 'checkpoint/gguf-qwen2/tiny.gguf'],
    files: { '.gguf': mutateBytes },
    weight: 4,
    read: async (path) => digestOf((await openGguf(path)).tensors, bytesOf),
    reference: 'gguf',
  },
  {
    name: 'sharded',
    seeds: ['checkpoint/sharded', 'checkpoint/bin-sharded'],
    files: { '.index.json': mutateJson },
    weight: 2,
    read: async (path) => digestOf((await openCheckpoint(path)).tensors, readStored),
  },
  {
    name: 'model',
    seeds: ['bloom/tiny', 'cases/15-modules-to-save-suffix/base'],
    files: { '.json': mutateJson, '.safetensors': mutateSafetensors },
    weight: 4,
    read: (path) => score({ weights: path }),
  },
  {
    name: 'family',
    seeds: families,
    files: { 'config.json': mutateJson, 'generation_config.json': mutateJson },
    weight: 4,
    read: (path) => score({ weights: path, tokenizer: join(process.env['IFT_FUZZ'] ?? '', 'tokenizer') }),
  },
  {
    name: 'gguf-model',
    seeds: ['checkpoint/gguf-qwen2/tiny.gguf'],
    files: { '.gguf': mutateBytes },
    weight: 2,
    read: (path) => score({ weights: path, tokenizer: join(process.env['IFT_FUZZ'] ?? '', 'tokenizer') }),
  },
  {
    name: 'adapter',
    seeds: ['cases/15-modules-to-save-suffix'],
    files: {
      '/adapter/adapter_config.json': mutateJson,
      '/adapter/adapter_model.safetensors': mutateSafetensors,
    },
    weight: 3,
    read: (path) => score({ weights: join(path, 'base'), adapter: join(path, 'adapter') }),
  },
  {
    name: 'adapters of other programs',
    seeds: ['houlsby', 'pfeiffer', 'older', 'norms']
      .map((name) => `peft-adapters/${name}`)
      .concat('peft-bottleneck/pfeiffer'),
    files: {
      'adapter_config.json': mutateJson,
      'adapter.safetensors': mutateSafetensors,
      '.bin': mutateBytes,
    },
    weight: 3,
    read: async (path) => {
      const adapter = await openAdapter(path)
      for (const name of adapter.names()) await adapter.read(name)
      const type = String(adapter.config['peft_type'])
      const method = [houlsby, pfeiffer, parallel, bottleneck].find(({ peftTypes }) =>
        peftTypes.includes(type),
      )
      method?.fromAdapterConfig(adapter.config)
      return nothing()
    },
  },
  {
    name: 'tokenizer.json',
    seeds: ['tokenizers/byte-level', 'tokenizers/word-piece', 'bloom/tiny'],
    files: { 'tokenizer.json': mutateJson },
    weight: 4,
    read: (path) => tokenize(tokenizerJson, path),
    reference: 'tokenizers',
  },
  {
    name: 'tokenizer settings',
    seeds: ['bloom/tiny', 'cases/tok-01-equal-scores/model'],
    files: { 'tokenizer_config.json': mutateJson, 'special_tokens_map.json': mutateJson },
    weight: 2,
    read: async (path) =>
      nothing(await tokenize((await tokenizerJson.detect(path)) ? tokenizerJson : sentencePiece, path)),
  },
  {
    name: 'tokenizer.model',
    seeds: ['tokenizers/sp-bpe', 'tokenizers/sp-unigram', 'tokenizers/sp-unigram-bytes'],
    files: { 'tokenizer.model': mutateBytes },
    weight: 3,
    read: async (path) => nothing(await tokenize(sentencePiece, path)),
  },
  {
    name: 'vocabulary',
    seeds: ['family-tokenizers/qwen-vocab'],
    files: { 'vocab.json': mutateJson, 'merges.txt': mutateBytes },
    weight: 2,
    read: async (path) => nothing(await tokenize(gpt2, path)),
  },
  {
    name: 'template',
    seeds: ['cases/06-end-of-turn-runs-on/model', 'cases/12-parquet-null-arguments/model'],
    files: { 'chat_template.jinja': mutateBytes, 'tokenizer_config.json': mutateJson },
    weight: 2,
    read: async (path) => {
      const template = createChatTemplate(await tokenizerJson.load(path))
      template.render({ messages: [...chat[0].messages] }, { trainOn: 'answers' })
      return null
    },
  },
  {
    name: 'lines',
    seeds: [
      made('rows.jsonl', jsonl(rows)),
      made('chat.jsonl', jsonl(chat)),
      made('rows.json', JSON.stringify(rows)),
    ],
    files: { '.jsonl': mutateLines, '.json': mutateJson },
    weight: 5,
    read: readData,
    reference: 'lines',
  },
  {
    name: 'compressed',
    seeds: [made('rows.jsonl.gz', gzipSync(jsonl(rows)))],
    files: { '.gz': mutateGzip(mutateLines) },
    weight: 2,
    read: readData,
    reference: 'lines',
  },
  {
    name: 'zstd',
    seeds: [made('rows.jsonl.zst', zstd(Buffer.from(jsonl(rows))))],
    files: { '.zst': mutateBytes },
    weight: 1,
    read: readData,
  },
  {
    name: 'tables',
    seeds: [made('rows.csv', csv), made('rows.tsv', csv.replaceAll(',', '\t'))],
    files: { '.csv': mutateBytes, '.tsv': mutateBytes },
    weight: 2,
    read: async (path) => nothing(await readData(path)),
  },
  {
    name: 'parquet',
    seeds: [
      'cases/12-parquet-null-arguments/calls.parquet',
      'cases/12-parquet-null-arguments/nested.parquet',
      'cases/02-big-numbers/numbers.parquet',
    ],
    files: { '.parquet': mutateBytes },
    weight: 4,
    read: readData,
    reference: 'parquet',
  },
  {
    name: 'config',
    seeds: [
      made(
        'ift.config.json',
        JSON.stringify({ weights: './m', data: ['d.jsonl', { path: 'e', weight: 2 }], train: { epochs: 3 } }),
      ),
      made(
        'ift.config.yaml',
        'weights: ./m\ndata:\n  - d.jsonl\npeft: { method: lora, r: 8 }\ntrain:\n  learningRate: 3e-4\n',
      ),
    ],
    files: { '.json': mutateJson, '.yaml': mutateBytes },
    weight: 2,
    read: async (path) => {
      await (await Ift.load({ configFile: path })).close()
      return null
    },
  },
  {
    name: 'run',
    seeds: ['run'],
    files: {
      'state.json': mutateJson,
      'run.json': mutateJson,
      'hashes.json': mutateJson,
      'optimizer.safetensors': mutateSafetensors,
      'trainable.safetensors': mutateSafetensors,
    },
    weight: 2,
    read: resume,
  },
]
