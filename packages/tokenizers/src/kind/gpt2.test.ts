import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Tokenizer } from '@ift/core'
import { tokenizerConformance } from '@ift/core/testing'
import gpt3 from 'gpt-3-encoder'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fromGgufMetadata, loadTokenizer } from '../index.js'

const published = dirname(createRequire(import.meta.url).resolve('gpt-3-encoder'))

let work: string
let dir: string
let tokenizer: Tokenizer
beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'ift-gpt2-'))
  dir = join(work, 'gpt2')
  await mkdir(dir)
  await cp(join(published, 'encoder.json'), join(dir, 'vocab.json'))
  await cp(join(published, 'vocab.bpe'), join(dir, 'merges.txt'))
  tokenizer = await loadTokenizer(dir)
})
afterAll(() => rm(work, { recursive: true, force: true }))

const texts = [
  'Hello world',
  ' Below is an instruction that describes a task.\n\n### Instruction:\n',
  "don't you'll WE'VE",
  'naïve 今天天气 😀👩‍👩‍👧‍👦 𠮷',
  'tabs\t\tand   spaces \n\n\n',
  'constructor toString 12345 x+=y;',
]

test('ids equal those of gpt-3-encoder', async () => {
  for (const text of texts) expect([...(await tokenizer.encode(text)).ids], text).toEqual(gpt3.encode(text))
  expect([tokenizer.vocabSize, tokenizer.bosId, tokenizer.eosId]).toEqual([50257, 50256, 50256])
  expect([tokenizer.addBos, tokenizer.addEos]).toEqual([false, false])
})

for (const { name, run } of tokenizerConformance('gpt2', () => tokenizer)) test(name, run)

test('the same tokenizer inside a GGUF file gives the same ids', async () => {
  const vocab = JSON.parse(await readFile(join(dir, 'vocab.json'), 'utf8')) as Record<string, number>
  const tokens = Object.entries(vocab)
    .sort(([, a], [, b]) => a - b)
    .map(([token]) => token)
  const merges = (await readFile(join(dir, 'merges.txt'), 'utf8'))
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#version'))
  const inside = fromGgufMetadata(
    new Map<string, unknown>([
      ['tokenizer.ggml.model', 'gpt2'],
      ['tokenizer.ggml.pre', 'gpt-2'],
      ['tokenizer.ggml.tokens', tokens],
      ['tokenizer.ggml.token_type', Int32Array.from(tokens, (_, id) => (id === 50256 ? 3 : 1))],
      ['tokenizer.ggml.merges', merges],
      ['tokenizer.ggml.bos_token_id', 50256],
      ['tokenizer.ggml.eos_token_id', 50256],
    ]),
  )
  for (const text of texts)
    expect((await inside.encode(text)).ids).toEqual((await tokenizer.encode(text)).ids)
  expect(inside.eosId).toBe(50256)
})

const vocab = { a: 0, b: 1, ab: 2 }
test.each([
  ['merges.txt missing', vocab, null, 'IFT_TOKENIZER_MISSING', 'tokenizer.json'],
  ['broken JSON', '{"a": 0', 'a b', 'IFT_FILE_CORRUPT', 'vocab.json'],
  ['a list', [1], 'a b', 'IFT_FILE_CORRUPT', 'vocab.json'],
  ['a gap', { a: 0, b: 1, ab: 7 }, 'a b', 'IFT_FILE_CORRUPT', 'the id 7 leaves a gap'],
  ['an id twice', { a: 0, b: 1, ab: 1 }, 'a b', 'IFT_FILE_CORRUPT', 'the id 1 belongs to another token'],
  ['an id that is none', { a: 0, b: 'x' }, 'a b', 'IFT_FILE_CORRUPT', '"b": expected an id'],
  ['a merge of three', vocab, '#version: 0.2\na b a', 'IFT_FILE_CORRUPT', 'merges.txt: line 2'],
  ['a merge of the unknown', vocab, '#version: 0.2\na c', 'IFT_FILE_CORRUPT', 'merges.txt: line 2: "c"'],
  ['a product that is unknown', vocab, 'b a', 'IFT_FILE_CORRUPT', 'merges.txt: line 1: "ba"'],
])('%s is an error that names file and field', async (_, vocabulary, merges, code, message) => {
  const bad = await mkdtemp(join(work, 'bad-'))
  await writeFile(
    join(bad, 'vocab.json'),
    typeof vocabulary === 'string' ? vocabulary : JSON.stringify(vocabulary),
  )
  if (merges !== null) await writeFile(join(bad, 'merges.txt'), merges)
  await expect(loadTokenizer(bad)).rejects.toMatchObject({
    name: 'IftError',
    code,
    message: expect.stringContaining(message) as string,
  })
})
