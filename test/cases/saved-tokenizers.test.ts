import { readFileSync, writeFileSync } from 'node:fs'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Tokenizer } from '@ift/core'
import { fromGgufMetadata, loadTokenizer, parseSentencePiece } from '@ift/tokenizers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { caseFolder, root } from './ift.fixture.js'

// What a tokenizer says of itself is in what ift saves: special tokens, padding, length, template, added tokens, policy.
// scripts/reference/check_saved_tokenizers.py compares both sides in transformers.

type Fields = Record<string, unknown>

const stated: Fields = {
  bos_token: {
    __type: 'AddedToken',
    content: '<s>',
    lstrip: false,
    normalized: false,
    rstrip: false,
    single_word: false,
  },
  eos_token: '</s>',
  unk_token: '<unk>',
  model_max_length: 4096,
  padding_side: 'right',
  truncation_side: 'left',
  add_bos_token: false,
  add_eos_token: true,
  chat_template: '{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}{{ eos_token }}',
  spaces_between_special_tokens: false,
  use_default_system_prompt: true,
  response_schema: { type: 'object' },
}

/** The fields of `stated` as a saved tokenizer_config.json has them, with pad from special_tokens_map.json. */
const expected: Fields = {
  ...stated,
  bos_token: '<s>',
  pad_token: '<pad>',
  additional_special_tokens: ['<|user|>', '<|bot|>'],
}

let work: string
beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'ift-saved-'))
})
afterAll(() => rm(work, { recursive: true, force: true }))

const readJson = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as Fields

/** A folder with files of a fixture and settings beside them. */
async function source(
  from: string,
  names: readonly string[],
  files: Record<string, unknown>,
): Promise<string> {
  const dir = await mkdtemp(join(work, 'source-'))
  for (const name of names) await cp(join(root, from, name), join(dir, name))
  for (const [name, value] of Object.entries(files)) await writeFile(join(dir, name), JSON.stringify(value))
  return dir
}

async function saved(tokenizer: Tokenizer): Promise<{ dir: string; config: Fields; again: Tokenizer }> {
  const dir = await mkdtemp(join(work, 'saved-'))
  await tokenizer.save(dir)
  const again = await loadTokenizer(dir)
  expect(again.fingerprint).toBe(tokenizer.fingerprint)
  expect([again.addBos, again.addEos, again.chatTemplate]).toEqual([
    tokenizer.addBos,
    tokenizer.addEos,
    tokenizer.chatTemplate,
  ])
  return { dir, config: readJson(join(dir, 'tokenizer_config.json')), again }
}

describe('a tokenizer.model with settings beside it', () => {
  const model = 'fixtures/tokenizers/sp-bpe'
  const beside = (config: Fields) =>
    source(model, ['tokenizer.model'], {
      'tokenizer_config.json': { tokenizer_class: 'LlamaTokenizer', ...config },
      'special_tokens_map.json': {
        pad_token: '<pad>',
        additional_special_tokens: ['<|user|>', { content: '<|bot|>' }],
      },
      'added_tokens.json': { '<pad>': 900, '<|user|>': 901, '<|bot|>': 902 },
    })

  test('keeps every field', async () => {
    const { config, dir } = await saved(await loadTokenizer(await beside(stated)))
    expect(config).toMatchObject(expected)
    const { added_tokens } = readJson(join(dir, 'tokenizer.json')) as {
      added_tokens: { id: number; content: string }[]
    }
    expect(added_tokens).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ id: 900, content: '<pad>', special: true }),
        expect.objectContaining({ id: 902, content: '<|bot|>', special: true }),
      ]),
    )
    expect(Object.keys(config['added_tokens_decoder'] as object)).toEqual(
      added_tokens.map(({ id }) => String(id)),
    )
  })

  test('saved twice it is the same', async () => {
    const first = await saved(await loadTokenizer(await beside(stated)))
    const second = await saved(first.again)
    expect(second.config).toEqual(first.config)
  })

  test('pads on the side of its class where no field says, and has the unknown token of its file', async () => {
    const { config } = await saved(await loadTokenizer(await beside({})))
    expect(config).toMatchObject({ padding_side: 'left', unk_token: '<unk>', add_bos_token: true })
    // Models of this kind take no token types, which transformers 4 would give them.
    expect(config['model_input_names']).toEqual(['input_ids', 'attention_mask'])
  })

  test('says nothing of its files and of code', async () => {
    const odd = {
      auto_map: { AutoTokenizer: ['x.X', null] },
      sp_model_kwargs: {},
      legacy: true,
      vocab_file: '/x/y.model',
    }
    const { config } = await saved(await loadTokenizer(await beside(odd)))
    for (const field of Object.keys(odd)) expect(config).not.toHaveProperty(field)
  })

  test('keeps a list of templates with their names', async () => {
    const list = [
      { name: 'default', template: 'D' },
      { name: 'tool_use', template: 'T' },
    ]
    const { config, again } = await saved(await loadTokenizer(await beside({ chat_template: list })))
    expect(config['chat_template']).toEqual(list)
    expect(again.chatTemplate).toBe('D')
  })
})

test('vocab.json and merges.txt keep theirs', async () => {
  const from = 'fixtures/family-tokenizers/qwen-vocab'
  const config = {
    ...readJson(join(root, from, 'tokenizer_config.json')),
    model_max_length: 32768,
    padding_side: 'left',
  }
  const dir = await source(from, ['vocab.json', 'merges.txt'], { 'tokenizer_config.json': config })
  const { config: found } = await saved(await loadTokenizer(dir))
  expect(found).toMatchObject({
    eos_token: '<|im_end|>',
    pad_token: '<|endoftext|>',
    model_max_length: 32768,
    padding_side: 'left',
    added_tokens_decoder: config['added_tokens_decoder' as keyof typeof config],
  })
  // null in the config: the model has none.
  expect(found).not.toHaveProperty('unk_token')
})

test('a tokenizer.json without settings has what special_tokens_map.json says', async () => {
  const dir = await source('fixtures/tokenizers/byte-level', ['tokenizer.json'], {
    'special_tokens_map.json': { pad_token: '<|eot|>', unk_token: '<|eot|>' },
  })
  const { config } = await saved(await loadTokenizer(dir))
  expect(config).toMatchObject({ bos_token: '<|begin_of_text|>', pad_token: '<|eot|>', unk_token: '<|eot|>' })
})

test('a GGUF file keeps its special tokens and its length', async () => {
  const { pieces } = parseSentencePiece(
    await readFile(join(root, 'fixtures/tokenizers/sp-bpe/tokenizer.model')),
    'sp-bpe',
  )
  const tokenizer = fromGgufMetadata(
    new Map<string, unknown>([
      ['general.architecture', 'llama'],
      ['llama.context_length', 2048],
      ['tokenizer.ggml.model', 'llama'],
      ['tokenizer.ggml.tokens', pieces.map(({ text }) => text)],
      ['tokenizer.ggml.scores', Float32Array.from(pieces, ({ score }) => score)],
      ['tokenizer.ggml.token_type', Int32Array.from(pieces, ({ type }) => type)],
      ['tokenizer.ggml.bos_token_id', 1],
      ['tokenizer.ggml.eos_token_id', 2],
      ['tokenizer.ggml.padding_token_id', 2],
      ['tokenizer.ggml.unknown_token_id', 0],
      ['tokenizer.ggml.add_eos_token', true],
    ]),
  )
  const { config } = await saved(tokenizer)
  expect(config).toMatchObject({
    bos_token: '<s>',
    eos_token: '</s>',
    pad_token: '</s>',
    unk_token: '<unk>',
    add_bos_token: true,
    add_eos_token: true,
    model_max_length: 2048,
  })
})

test('beside an adapter lies the tokenizer with all its fields', () => {
  const folder = caseFolder('tok-01-equal-scores')
  try {
    const path = folder.path('model', 'tokenizer_config.json')
    const config = { ...readJson(path), ...stated, pad_token: '<unk>', chat_template: undefined }
    writeFileSync(path, JSON.stringify(config))
    writeFileSync(
      folder.path('data.jsonl'),
      `${JSON.stringify({ instruction: 'x', output: 'return' })}\n`.repeat(4),
    )
    folder.output(
      'train',
      ...['--weights', './model', '--initialize', '--data', 'data.jsonl', '--template', 'alpaca'],
      ...['--train.maxSteps', '1', '--train.evalEvery', '0', '--train.saveEvery', '0', '--output', 'out'],
    )
    const { chat_template: _none, additional_special_tokens: _no, ...fields } = expected
    expect(readJson(folder.path('out', 'adapter', 'tokenizer_config.json'))).toMatchObject({
      ...fields,
      pad_token: '<unk>',
    })
  } finally {
    folder.remove()
  }
})
