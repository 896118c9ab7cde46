import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { tokenizerConformance } from '@ift/core/testing'
import { describe, expect, test } from 'vitest'
import { fromGgufMetadata, loadTokenizer, parseSentencePiece } from './index.js'

const root = fileURLToPath(new URL('../../../fixtures/tokenizers', import.meta.url))
const golden = async (name: string) =>
  (
    JSON.parse(await readFile(join(root, name, 'golden.json'), 'utf8')) as {
      cases: { text: string; ids: number[] }[]
    }
  ).cases

async function sentencePieceMetadata(name: string): Promise<Map<string, unknown>> {
  const model = parseSentencePiece(await readFile(join(root, name, 'tokenizer.model')), name)
  return new Map<string, unknown>([
    ['tokenizer.ggml.model', 'llama'],
    ['tokenizer.ggml.tokens', model.pieces.map(({ text }) => text)],
    ['tokenizer.ggml.scores', Float32Array.from(model.pieces, ({ score }) => score)],
    ['tokenizer.ggml.token_type', Int32Array.from(model.pieces, ({ type }) => type)],
    ['tokenizer.ggml.bos_token_id', 1],
    ['tokenizer.ggml.eos_token_id', 2],
    ['tokenizer.chat_template', '{{ messages }}'],
  ])
}

describe('SentencePiece', () => {
  test('ids equal those of sentencepiece', async () => {
    const tokenizer = fromGgufMetadata(await sentencePieceMetadata('sp-bpe'))
    for (const { text, ids } of await golden('sp-bpe'))
      expect([...(await tokenizer.encode(text)).ids], text).toEqual(ids)
    expect([tokenizer.bosId, tokenizer.eosId, tokenizer.addBos, tokenizer.addEos]).toEqual([
      1,
      2,
      true,
      false,
    ])
    expect(tokenizer.chatTemplate).toBe('{{ messages }}')
    expect(tokenizer.fingerprint).toBe((await loadTokenizer(join(root, 'sp-bpe'))).fingerprint)
  })

  for (const { name, run } of tokenizerConformance('gguf', async () =>
    fromGgufMetadata(await sentencePieceMetadata('sp-bpe')),
  ))
    test(name, run)

  test('the dragon of InternLM2 is a zero byte, of other models itself', async () => {
    for (const [architecture, expected] of [
      ['internlm2', '\0'],
      ['llama', '🐉'],
    ] as const) {
      const metadata = await sentencePieceMetadata('sp-bpe')
      const tokens = metadata.get('tokenizer.ggml.tokens') as string[]
      tokens[tokens.length - 1] = '🐉'
      const tokenizer = fromGgufMetadata(metadata.set('general.architecture', architecture))
      expect(tokenizer.token(tokens.length - 1)).toBe(expected)
    }
  })

  test('the file’s own policy wins', async () => {
    const metadata = await sentencePieceMetadata('sp-bpe')
    metadata.set('tokenizer.ggml.add_bos_token', false).set('tokenizer.ggml.add_eos_token', true)
    const tokenizer = fromGgufMetadata(metadata)
    expect([tokenizer.addBos, tokenizer.addEos]).toEqual([false, true])
  })
})

test('byte-level BPE split as Llama 3 does', async () => {
  const json = JSON.parse(await readFile(join(root, 'byte-level/tokenizer.json'), 'utf8')) as {
    model: { vocab: Record<string, number>; merges: [string, string][] }
    added_tokens: { id: number; content: string; special: boolean }[]
  }
  const tokens: string[] = []
  const types: number[] = []
  for (const [token, id] of Object.entries(json.model.vocab)) [tokens[id], types[id]] = [token, 1]
  for (const { id, content, special } of json.added_tokens)
    [tokens[id], types[id]] = [content, special ? 3 : 4]
  const tokenizer = fromGgufMetadata(
    new Map<string, unknown>([
      ['tokenizer.ggml.model', 'gpt2'],
      ['tokenizer.ggml.pre', 'llama-bpe'],
      ['tokenizer.ggml.tokens', tokens],
      ['tokenizer.ggml.token_type', types],
      ['tokenizer.ggml.merges', json.model.merges.map((pair) => pair.join(' '))],
    ]),
  )
  for (const { text, ids } of await golden('byte-level'))
    // The GGUF has no normaliser.
    if (text === text.normalize('NFC')) expect([...(await tokenizer.encode(text)).ids], text).toEqual(ids)
  const plain = (await tokenizer.encode('a<tool><|eot|>')).ids
  expect(plain[1]).toBe(tokens.indexOf('<tool>'))
  expect([...plain]).not.toContain(tokens.indexOf('<|eot|>'))
})

describe('what is wrong is named', () => {
  test.each([
    ['tokenizer.ggml.model', 'bert', 'IFT_TOKENIZER_UNSUPPORTED'],
    ['tokenizer.ggml.model', 7, 'IFT_FILE_CORRUPT'],
    ['tokenizer.ggml.tokens', undefined, 'IFT_FILE_CORRUPT'],
    ['tokenizer.ggml.tokens', [1, 2], 'IFT_FILE_CORRUPT'],
    ['tokenizer.ggml.scores', undefined, 'IFT_FILE_CORRUPT'],
    ['tokenizer.ggml.scores', [1, 2], 'IFT_FILE_CORRUPT'],
    ['tokenizer.ggml.token_type', new Int32Array(3), 'IFT_FILE_CORRUPT'],
    ['tokenizer.ggml.bos_token_id', 1e6, 'IFT_FILE_CORRUPT'],
    ['tokenizer.ggml.add_bos_token', 'x', 'IFT_FILE_CORRUPT'],
  ])('%s = %j', async (key, value, code) => {
    const metadata = await sentencePieceMetadata('sp-bpe')
    if (value === undefined) metadata.delete(key)
    else metadata.set(key, value)
    expect(() => fromGgufMetadata(metadata, 'm.gguf')).toThrow(
      expect.objectContaining({
        name: 'IftError',
        code,
        message: expect.stringContaining(`m.gguf: ${key}`) as string,
      }),
    )
  })

  test.each([
    [{ 'tokenizer.ggml.pre': 'unheard-of' }, 'IFT_TOKENIZER_UNSUPPORTED', 'tokenizer.ggml.pre'],
    [{ 'tokenizer.ggml.merges': ['a c'] }, 'IFT_FILE_CORRUPT', 'tokenizer.ggml.merges[0]'],
    [{ 'tokenizer.ggml.merges': undefined }, 'IFT_FILE_CORRUPT', 'tokenizer.ggml.merges'],
    [{ 'tokenizer.ggml.tokens': ['a', 'b', 'a'] }, 'IFT_FILE_CORRUPT', 'tokenizer.ggml.tokens[2]'],
  ])('byte-level: %j', (change, code, key) => {
    const metadata = new Map<string, unknown>(
      Object.entries({
        'tokenizer.ggml.model': 'gpt2',
        'tokenizer.ggml.tokens': ['a', 'b', 'ab'],
        'tokenizer.ggml.merges': ['a b'],
        ...change,
      }).filter(([, value]) => value !== undefined),
    )
    expect(() => fromGgufMetadata(metadata)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(key) as string }),
    )
  })
})

/** A GGUF file (version 3) of metadata alone. */
function ggufBytes(metadata: ReadonlyMap<string, unknown>): Buffer {
  const u32 = (value: number) => Buffer.from(Uint32Array.of(value).buffer)
  const u64 = (value: number) => Buffer.from(BigUint64Array.of(BigInt(value)).buffer)
  const text = (value: string) => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)])
  const array = (type: number, items: readonly Buffer[]) =>
    Buffer.concat([u32(9), u32(type), u64(items.length), ...items])
  const value = (of: unknown): Buffer => {
    if (typeof of === 'string') return Buffer.concat([u32(8), text(of)])
    if (typeof of === 'number') return Buffer.concat([u32(4), u32(of)])
    if (of instanceof Float32Array)
      return array(
        6,
        Array.from(of, (item) => Buffer.from(Float32Array.of(item).buffer)),
      )
    if (of instanceof Int32Array)
      return array(
        5,
        Array.from(of, (item) => Buffer.from(Int32Array.of(item).buffer)),
      )
    return array(8, (of as string[]).map(text))
  }
  const pairs = [...metadata].flatMap(([key, of]) => [text(key), value(of)])
  return Buffer.concat([Buffer.from('GGUF'), u32(3), u64(0), u64(metadata.size), ...pairs])
}

test('a GGUF file is a place that a tokenizer is loaded from', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'ift-gguf-'))
  try {
    const file = join(dir, 'model.gguf')
    await writeFile(file, ggufBytes(await sentencePieceMetadata('sp-bpe')))
    const tokenizer = await loadTokenizer(file)
    expect(tokenizer.fingerprint).toBe((await loadTokenizer(join(root, 'sp-bpe'))).fingerprint)
    expect((await loadTokenizer(dir)).fingerprint).toBe(tokenizer.fingerprint)
  } finally {
    await rm(dir, { recursive: true })
  }
})
