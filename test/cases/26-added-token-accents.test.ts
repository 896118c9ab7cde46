import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Tokenizer } from '@ift/core'
import { loadTokenizer } from '@ift/tokenizers'
import { afterAll, expect, test } from 'vitest'
import { caseFolder, root } from './ift.fixture.js'

// An added token is written as it is; only pieces of the vocabulary are spelled in the alphabet of bytes.

const name = '26-added-token-accents'
const model = join(root, 'fixtures/cases', name, 'model')
const folder = caseFolder(name)
afterAll(() => {
  folder.remove()
})

test('a model that learned a token with an accent writes it', () => {
  folder.output(
    'train',
    ...['--weights', './model', '--initialize', '--peft.method', 'none', '--data', 'cafe.jsonl'],
    ...['--train.maxSteps', '80', '--train.batchSize', '4', '--train.learningRate', '5e-3'],
    ...['--train.evalEvery', '0', '--train.saveEvery', '0', '--output', 'cafe'],
  )
  const text = folder.output('generate', 'Where', '--weights', 'cafe/model', '--generate.maxNewTokens', '8')
  expect(text).toContain('A café here')
})

interface Json {
  added_tokens: { id: number; content: string; special: boolean }[]
  decoder: unknown
}

/** The tokenizer of the case with more added tokens. */
async function extended(words: readonly string[], decoder?: unknown): Promise<Tokenizer> {
  const dir = await mkdtemp(join(tmpdir(), 'ift-accents-'))
  try {
    await cp(model, dir, { recursive: true })
    const path = join(dir, 'tokenizer.json')
    const json = JSON.parse(await readFile(path, 'utf8')) as Json
    const first = Math.max(...json.added_tokens.map(({ id }) => id)) + 1
    const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: false }
    for (const [i, content] of words.entries()) json.added_tokens.push({ id: first + i, content, ...flags })
    if (decoder !== undefined) json.decoder = decoder
    await writeFile(path, JSON.stringify(json))
    return await loadTokenizer(dir)
  } finally {
    await rm(dir, { recursive: true })
  }
}

async function streamed(tokenizer: Tokenizer, ids: ArrayLike<number>): Promise<string> {
  const stream = tokenizer.decodeStream()
  let text = ''
  for (const id of Array.from(ids)) text += await stream.push(id)
  return text + (await stream.end())
}

const words = ['Ærøskøbing', 'đẹp', 'Łódź', '今天', 'Ġword', 'ñu', 'ÿž', 'Ċx', '¡Olé!', 'São Paulo']
const text = `a café, ${words.join('|')} é${words.join('')}è café`

test.each([
  ['ByteLevel', undefined],
  [
    'a sequence with ByteLevel',
    {
      type: 'Sequence',
      decoders: [
        { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
        { type: 'Fuse' },
      ],
    },
  ],
])('added tokens of any letters come back, beside pieces of bytes: %s', async (_, decoder) => {
  const tokenizer = await extended(words, decoder)
  const { ids } = await tokenizer.encode(text)
  const texts = [...ids].map((id) => tokenizer.token(id))
  for (const word of ['café', ...words]) expect(texts).toContain(word)
  expect(await tokenizer.decode(ids)).toBe(text)
  expect(await streamed(tokenizer, ids)).toBe(text)
})

test('bytes that an added token cuts short end in U+FFFD in front of it', async () => {
  const tokenizer = await extended(['ñu'])
  const [half] = (await tokenizer.encode('é')).ids
  const [added] = (await tokenizer.encode('ñu')).ids
  const ids = tokenizer.token(half!) === 'Ã' ? [half!, added!, half!] : []
  expect(await tokenizer.decode(ids)).toBe('\ufffdñu\ufffd')
  expect(await streamed(tokenizer, ids)).toBe('\ufffdñu\ufffd')
})

test('the piece of a byte stays one when a token of its letter is added', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'ift-accents-'))
  try {
    await cp(model, dir, { recursive: true })
    const path = join(dir, 'tokenizer.json')
    const json = JSON.parse(await readFile(path, 'utf8')) as Json & {
      model: { vocab: Record<string, number> }
    }
    // As transformers writes what `add_tokens(["é"])` makes: é spells the byte 0xE9, with which 鍵 begins.
    json.added_tokens.unshift({ ...json.added_tokens.at(-1)!, id: json.model.vocab['é']!, content: 'é' })
    await writeFile(path, JSON.stringify(json))
    const tokenizer = await loadTokenizer(dir)
    const { ids } = await tokenizer.encode('鍵')
    expect(ids[0]).toBe(json.model.vocab['é'])
    expect(await tokenizer.decode(ids)).toBe('鍵')
  } finally {
    await rm(dir, { recursive: true })
  }
})
