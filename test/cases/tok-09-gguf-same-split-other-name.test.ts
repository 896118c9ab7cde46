import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fromGgufMetadata } from '@ift/tokenizers'
import { afterAll, describe, expect, test } from 'vitest'
import { caseFolder, root } from './ift.fixture.js'

// The names of ways to split text in GGUF files. ids by llama.cpp (scripts/reference/make_gguf_splits.py).

const name = 'tok-09-gguf-same-split-other-name'
const folder = caseFolder(name)
afterAll(() => {
  folder.remove()
})

test('the tokenizer of a GGUF file of DeepSeek-R1-Distill-Qwen gives the ids of its tokenizer.json', () => {
  const score = (output: string, ...more: string[]) => {
    folder.output(
      'score',
      ...['--weights', './model', '--initialize', '--template', 'plain', '--input', 'texts.jsonl'],
      ...['--output', output, ...more],
    )
    return (folder.lines(output) as { ids: number[] }[]).map(({ ids }) => ids)
  }
  const ids = score('gguf.jsonl', '--tokenizer', './tokenizer.gguf')
  expect(ids).toEqual(score('json.jsonl'))
  expect(ids[0]!.slice(0, 18)).toEqual([
    39, 68, 75, 75, 78, 220, 16, 17, 18, 19, 20, 220, 86, 263, 320, 198, 198, 220,
  ])
})

const { tokens, merges, lines, ids } = JSON.parse(
  readFileSync(join(root, 'fixtures/cases', name, 'splits.json'), 'utf8'),
) as { tokens: string[]; merges: string[]; lines: string[]; ids: Record<string, string> }

const open = (pre: string) =>
  fromGgufMetadata(
    new Map<string, unknown>([
      ['tokenizer.ggml.model', 'gpt2'],
      ['tokenizer.ggml.pre', pre],
      ['tokenizer.ggml.tokens', tokens],
      ['tokenizer.ggml.token_type', tokens.map((_, id) => (id === 0 ? 3 : 1))],
      ['tokenizer.ggml.merges', merges],
      ['tokenizer.ggml.bos_token_id', 0],
    ]),
    'model.gguf',
  )

describe.each(Object.entries(ids))('%s', (pre, expected) => {
  test('ids are those of llama.cpp', async () => {
    const found = (await open(pre).encodeBatch(lines)).map((encoding) => encoding.ids.join(' '))
    expect(createHash('sha256').update(found.join('\n')).digest('hex')).toBe(expected)
  })
})

test('names differ in more than their names', () => {
  expect(new Set(Object.values(ids)).size).toBeGreaterThan(15)
})

test('bos stands before a text where llama.cpp puts it without being told', () => {
  expect(['falcon3', 'tekken', 'llama-bpe', 'qwen2', 'smaug-bpe'].map((pre) => open(pre).addBos)).toEqual([
    true,
    true,
    true,
    false,
    false,
  ])
})

test('a name that nobody knows is refused with what to type instead', () => {
  expect(() => open('unheard-of')).toThrow(
    expect.objectContaining({
      code: 'IFT_TOKENIZER_UNSUPPORTED',
      message: expect.stringContaining('model.gguf: tokenizer.ggml.pre: "unheard-of"') as string,
      hint: expect.stringContaining('--tokenizer') as string,
    }),
  )
})
