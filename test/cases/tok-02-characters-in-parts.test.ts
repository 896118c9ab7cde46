import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fromGgufMetadata, loadTokenizer, parseSentencePiece } from '@ift/tokenizers'
import { afterAll, describe, expect, test } from 'vitest'
import { caseFolder, root } from './ift.fixture.js'
import { expectGolden, expectGoldenSaved, goldenOf } from './sentencepiece.fixture.js'

// A normalisation map of SentencePiece matches the longest text at every place. ids by sentencepiece
// (scripts/reference/make_sentencepiece_cases.py).

const name = 'tok-02-characters-in-parts'
const folder = caseFolder(name)
afterAll(() => {
  folder.remove()
})

test('composed and decomposed text get the ids of sentencepiece', () => {
  folder.output(
    'score',
    ...['--weights', './model', '--initialize', '--template', 'plain'],
    ...['--input', 'texts.jsonl', '--output', 'out.jsonl'],
  )
  const expected = folder.lines('expected.jsonl') as { ids: number[] }[]
  const found = folder.lines('out.jsonl') as { ids: number[] }[]
  expect(found.map(({ ids }) => ids)).toEqual(expected.map(({ ids }) => ids))
})

test('a token has the range of the characters that it was made of', async () => {
  const tokenizer = await loadTokenizer(join(root, 'fixtures/cases', name, 'model'))
  const partsOf = async (text: string) => {
    const { ids, offsets } = await tokenizer.encode(text)
    return [...ids].map((id, i) => [tokenizer.token(id), text.slice(offsets[2 * i], offsets[2 * i + 1])])
  }
  const text = 'がっこうで Việt 😀café'.normalize('NFD')
  const parts = await partsOf(text)
  expect(parts.map(([, part]) => part!.normalize('NFC'))).toEqual(
    (await partsOf(text.normalize('NFC'))).map(([, part]) => part),
  )
  expect(parts[0]).toEqual(['▁がっこう', 'か\u3099っこう'])
})

test('what the map makes of a text is no special token', async () => {
  const tokenizer = await loadTokenizer(join(root, 'fixtures/cases', name, 'model'))
  const ids = async (text: string) => [...(await tokenizer.encode(text, { specials: true })).ids]
  const bos = tokenizer.bosId!
  expect(await ids('＜s＞か\u3099')).not.toContain(bos)
  expect((await ids('か\u3099<s>か\u3099')).filter((id) => id === bos)).toEqual([bos])
  const { ids: all, offsets } = await tokenizer.encode('か\u3099<s>か\u3099', { specials: true })
  expect([...offsets.slice(2 * all.indexOf(bos), 2 * all.indexOf(bos) + 2)]).toEqual([2, 5])
})

describe.each(['unigram', 'bpe'])('%s', (kind) => {
  const model = join(root, 'fixtures/cases', name, kind)

  test('ids are those of sentencepiece, also when the tokenizer was saved and read again', () =>
    expectGoldenSaved(model))

  test('a GGUF file of the model gives the same ids', async () => {
    const golden = await goldenOf(model)
    const parsed = parseSentencePiece(await readFile(join(model, 'tokenizer.model')), kind)
    const tokenizer = fromGgufMetadata(
      new Map<string, unknown>([
        // llama.cpp has no map for the models that it calls "llama".
        ['tokenizer.ggml.model', kind === 'bpe' ? 'llama' : 't5'],
        ['tokenizer.ggml.tokens', parsed.pieces.map(({ text }) => text)],
        ['tokenizer.ggml.scores', Float32Array.from(parsed.pieces, ({ score }) => score)],
        ['tokenizer.ggml.token_type', Int32Array.from(parsed.pieces, ({ type }) => type)],
        ['tokenizer.ggml.precompiled_charsmap', parsed.charsMap],
        ['tokenizer.ggml.remove_extra_whitespaces', true],
      ]),
    )
    await expectGolden(tokenizer, golden)
  })
})
