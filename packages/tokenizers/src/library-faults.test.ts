import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { IftError } from '@ift/core'
import { describe, expect, test } from 'vitest'
import { createTokenizer } from './assemble.js'
import { openBinding } from './binding.js'
import { checkComponents } from './library-faults.js'
import { parseSentencePiece } from './sentencepiece/model.js'
import { addedToken, type ComponentJson, type ModelJson, type TokenizerJson } from './tokenizer-json.js'

// What is not refused here ends the process, and this test with it.

const file = 'x/tokenizer.json'
const unigram: ModelJson = {
  type: 'Unigram',
  unk_id: 0,
  vocab: [
    ['<unk>', 0],
    ['a', -1],
    ['b', -2],
  ],
}
const jsonOf = (parts: Partial<TokenizerJson>): TokenizerJson => ({
  version: '1.0',
  truncation: null,
  padding: null,
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: null,
  post_processor: null,
  decoder: null,
  model: unigram,
  ...parts,
})
const open = (json: TokenizerJson) => openBinding(json, file, new Map())
const problem = (json: TokenizerJson): IftError => {
  try {
    open(json)
  } catch (error) {
    if (error instanceof IftError) return error
    throw error
  }
  throw new Error('it was opened')
}
const precompiled = (map: unknown): ComponentJson => ({ type: 'Precompiled', precompiled_charsmap: map })

test.each([
  ['', 'a trie of 0 bytes'],
  ['AAAA', 'a trie of 0 bytes'],
  ['!!!', 'base64'],
  ['AAAA AAAA', 'base64'],
  [null, 'expected a text in base64, found null'],
  [5, 'found number'],
  [undefined, 'found undefined'],
  [Buffer.from([4, 0, 0, 0, 0, 0, 0, 0]).toString('base64'), 'leads to unit 255 of 1'],
])('a normalisation map of %j', (map, message) => {
  for (const [normalizer, path] of [
    [precompiled(map), 'normalizer'],
    [{ type: 'Sequence', normalizers: [{ type: 'NFC' }, precompiled(map)] }, 'normalizer.normalizers[1]'],
    [
      { type: 'Sequence', normalizers: [{ type: 'Sequence', normalizers: [precompiled(map)] }] },
      'normalizer.normalizers[0].normalizers[0]',
    ],
  ] as const)
    expect(problem(jsonOf({ normalizer }))).toMatchObject({
      code: 'IFT_FILE_CORRUPT',
      message: expect.stringMatching(
        new RegExp(
          `^x/tokenizer\\.json: ${path.replace(/[[\].]/g, '\\$&')}\\.precompiled_charsmap: .*${message}`,
        ),
      ) as string,
    })
})

test('a normalisation map that is damaged anywhere is refused, or normalises without a fault', async () => {
  const model = fileURLToPath(
    new URL('../../../fixtures/cases/tok-02-characters-in-parts/model/tokenizer.model', import.meta.url),
  )
  const { charsMap } = parseSentencePiece(await readFile(model), model)
  const text =
    'か\u3099 e\u0323\u0302 ﷲ ﻻ\u064e \u1100\u1161\u11a8 ½ ㌔ Ａ　\u00a0a\u200bb 𝒳😀' + '\u0301'.repeat(5)
  let state = 7
  const random = (below: number) => (state = (state * 48271) % 2147483647) % below
  const counts = { refused: 0, opened: 0 }
  for (let i = 0; i < 200; i++) {
    const damaged = Buffer.from(charsMap)
    // The head of the trie and the ends of both parts matter most.
    const trie = damaged.readUInt32LE(0)
    const near = [4, 4 + random(2000), 4 + trie - 1 - random(50), damaged.length - 1 - random(50)]
    for (let n = 0; n <= random(3); n++)
      damaged[random(2) ? near[random(4)]! : random(damaged.length)] = random(256)
    const bytes = random(8) === 0 ? damaged.subarray(0, random(damaged.length)) : damaged
    let binding: ReturnType<typeof open>
    try {
      binding = open(jsonOf({ normalizer: precompiled(Buffer.from(bytes).toString('base64')) }))
    } catch (error) {
      expect(error).toMatchObject({ code: 'IFT_FILE_CORRUPT' })
      counts.refused++
      continue
    }
    counts.opened++
    await binding.encodeBatch([text])
  }
  expect(counts.refused).toBeGreaterThan(20)
  expect(counts.opened).toBeGreaterThan(20)
  expect(() => {
    const normalizer = precompiled(Buffer.from(charsMap).toString('base64'))
    checkComponents(jsonOf({ normalizer }), file)
  }).not.toThrow()
})

describe('other components', () => {
  const bpe = (prefix: string, merges: ModelJson['merges']): ModelJson => ({
    type: 'BPE',
    vocab: { a: 0, b: 1, ab: 2, é: 3, '##b': 4 },
    merges: merges as readonly string[],
    continuing_subword_prefix: prefix,
  })
  const found = (content: string) => [addedToken(3, content, { normalized: true })]

  test.each([
    ['pre_tokenizer.length', { pre_tokenizer: { type: 'FixedLength', length: 0 } }],
    [
      'pre_tokenizer.pretokenizers[0].length',
      { pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'FixedLength', length: 0 }] } },
    ],
    ['decoder.stop', { decoder: { type: 'Strip', content: 'a', start: 0, stop: 5 } }],
    [
      'decoder.decoders[1].stop',
      {
        decoder: {
          type: 'Sequence',
          decoders: [{ type: 'Fuse' }, { type: 'Strip', content: ' ', start: 0, stop: 1 }],
        },
      },
    ],
    ['model.merges[0]', { model: bpe('####', [['a', 'b']]) }],
    ['model.merges[0]', { model: bpe('#', ['a é']) }],
    [
      'added_tokens',
      { normalizer: { type: 'Strip', strip_left: true, strip_right: true }, added_tokens: found(' ') },
    ],
    [
      'added_tokens',
      { normalizer: { type: 'Replace', pattern: { String: 'a' }, content: '' }, added_tokens: found('aa') },
    ],
  ])('%s', (field, parts) => {
    const { code, message } = problem(jsonOf(parts))
    expect(['IFT_FILE_CORRUPT', 'IFT_TOKENIZER_UNSUPPORTED']).toContain(code)
    expect(message).toContain(`${file}: ${field}: `)
  })
})

describe('a component of many parts', () => {
  const digits: ComponentJson = { type: 'Digits', individual_digits: true }
  const bytes: ComponentJson = {
    type: 'ByteLevel',
    add_prefix_space: false,
    trim_offsets: true,
    use_regex: true,
  }
  const many = <T>(count: number, part: T): T[] => Array.from({ length: count }, () => part)
  const sequence = (field: string, parts: readonly ComponentJson[]): ComponentJson => ({
    type: 'Sequence',
    [field]: parts,
  })
  const create = (parts: Partial<TokenizerJson>) => createTokenizer({ json: jsonOf(parts), file })
  const bpe: ModelJson = { type: 'BPE', vocab: { a: 0, '1': 1, Ċ: 2 }, merges: [] }

  test.each([
    ['pre_tokenizer.pretokenizers[255]', { pre_tokenizer: sequence('pretokenizers', many(40_000, digits)) }],
    ['normalizer.normalizers[255]', { normalizer: sequence('normalizers', many(256, { type: 'NFC' })) }],
    [
      // 5 x 51 and the outermost are 256.
      'normalizer.normalizers[5]',
      {
        normalizer: sequence(
          'normalizers',
          many(6, sequence('normalizers', many(50, { type: 'Lowercase' }))),
        ),
      },
    ],
    [
      'decoder.decoders[255]',
      { decoder: sequence('decoders', many(300, { type: 'Strip', content: ' ', start: 1, stop: 0 })) },
    ],
    ['post_processor.processors[255]', { post_processor: sequence('processors', many(300, bytes)) }],
  ])('%s', (path, parts) => {
    expect(() => create(parts)).toThrow(
      expect.objectContaining({
        code: 'IFT_TOKENIZER_UNSUPPORTED',
        message: `${file}: ${path}: expected at most 256 parts of the ${path.split('.')[0]!}, found more.`,
      }),
    )
  })

  test('as many as there may be cut a batch of texts', async () => {
    const tokenizer = create({
      model: bpe,
      pre_tokenizer: sequence('pretokenizers', [...many(254, digits), bytes]),
      decoder: bytes,
    })
    const found = await tokenizer.encodeBatch(many(64, 'a1'.repeat(200)))
    const ids = many(200, [0, 1]).flat()
    expect(found.map((encoding) => [...encoding.ids])).toEqual(many(64, ids))
  })
})
