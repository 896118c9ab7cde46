import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PluginSession } from '@ift/core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadTokenizer, plugin } from '../index.js'

const fixture = fileURLToPath(new URL('../../../../fixtures/tokenizers/byte-level', import.meta.url))

interface Json {
  model: { vocab: Record<string, unknown>; merges: unknown; [key: string]: unknown }
  added_tokens: Record<string, unknown>[]
  post_processor: unknown
  [key: string]: unknown
}

let work: string
beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'ift-tokenizer-json-'))
})
afterAll(() => rm(work, { recursive: true, force: true }))

/** A copy of the fixture with its tokenizer.json changed and other files beside it. */
async function changed(
  change: (json: Json) => unknown,
  files: Record<string, unknown> = {},
): Promise<string> {
  const dir = await mkdtemp(join(work, 'x-'))
  await cp(fixture, dir, { recursive: true })
  const path = join(dir, 'tokenizer.json')
  const json = JSON.parse(await readFile(path, 'utf8')) as Json
  const value = change(json) ?? json
  await writeFile(path, typeof value === 'string' ? value : JSON.stringify(value))
  for (const [name, content] of Object.entries(files))
    if (content === null) await rm(join(dir, name))
    else await writeFile(join(dir, name), typeof content === 'string' ? content : JSON.stringify(content))
  return dir
}
const same = () => undefined

test('bos, eos, policy and template of the files', async () => {
  const tokenizer = await loadTokenizer(fixture)
  const id = (text: string) => tokenizer.specials.get(text)
  expect(tokenizer.bosId).toBe(id('<|begin_of_text|>'))
  expect(tokenizer.eosId).toBe(id('<|end_of_text|>'))
  expect([tokenizer.addBos, tokenizer.addEos]).toEqual([true, false])
  expect(tokenizer.chatTemplate).toBe('{{ bos_token }}D')
  expect([...tokenizer.specials.keys()]).toEqual(['<|begin_of_text|>', '<|end_of_text|>', '<|eot|>'])
  // Added, but not special: found in any text.
  const ids = [...(await tokenizer.encode('a<tool>b')).ids]
  expect(ids.map((each) => tokenizer.token(each))).toEqual(['a', '<tool>', 'b'])
})

test('chat_template.jinja wins, and the config decides over the post-processor', async () => {
  const dir = await changed(same, {
    'tokenizer_config.json': {
      add_bos_token: false,
      add_eos_token: true,
      chat_template: 'C',
      eos_token: '<|eot|>',
    },
    'chat_template.jinja': 'J',
  })
  const tokenizer = await loadTokenizer(dir)
  expect([tokenizer.addBos, tokenizer.addEos, tokenizer.chatTemplate]).toEqual([false, true, 'J'])
  expect(tokenizer.eosId).toBe(tokenizer.specials.get('<|eot|>'))
  const saved = join(work, 'saved-jinja')
  expect(await tokenizer.save(saved)).toEqual([
    'chat_template.jinja',
    'tokenizer.json',
    'tokenizer_config.json',
  ])
  expect((await loadTokenizer(saved)).fingerprint).toBe(tokenizer.fingerprint)
})

test('without settings, the post-processor and the usual names tell', async () => {
  const dir = await changed(
    (json) => {
      json.added_tokens[1]!['content'] = '</s>'
    },
    { 'tokenizer_config.json': null },
  )
  const tokenizer = await loadTokenizer(dir)
  expect(tokenizer.token(tokenizer.bosId!)).toBe('<|begin_of_text|>')
  expect(tokenizer.token(tokenizer.eosId!)).toBe('</s>')
})

test('a token that only the config knows is added with its id', async () => {
  const { vocabSize } = await loadTokenizer(fixture)
  const added = { [vocabSize + 3]: { content: '<|image|>', special: true } }
  const tokenizer = await loadTokenizer(
    await changed(same, { 'tokenizer_config.json': { added_tokens_decoder: added } }),
  )
  expect(tokenizer.vocabSize).toBe(vocabSize + 4)
  expect([...(await tokenizer.encode('<|image|>', { specials: true })).ids]).toEqual([vocabSize + 3])
  expect((await tokenizer.encode('<|image|>')).ids.length).toBeGreaterThan(1)
  expect(tokenizer.token(vocabSize + 1)).toBeUndefined()
})

test('offsets are UTF-16 code units of the text before normalisation', async () => {
  const tokenizer = await loadTokenizer(fixture)
  const text = '😀e\u0301😀 x'
  const { ids, offsets } = await tokenizer.encode(text)
  const ranges = [...ids].map((id, i) => [
    tokenizer.token(id),
    text.slice(offsets[2 * i], offsets[2 * i + 1]),
  ])
  expect(ranges.at(-1)).toEqual([expect.any(String), expect.stringContaining('x')])
  expect([...new Set(ranges.map(([, part]) => part))].join('')).toContain('😀')
  for (const [, part] of ranges) expect(part).not.toMatch(/^[\udc00-\udfff]|[\ud800-\udbff]$/)
})

test('a text with a lone surrogate is encoded as its replacement', async () => {
  const tokenizer = await loadTokenizer(fixture)
  const { ids, offsets } = await tokenizer.encode('a\ud800b')
  expect(await tokenizer.decode(ids)).toBe('a\ufffdb')
  expect(offsets.at(-1)).toBe(3)
})

test('the fingerprint changes with everything that decides ids and with nothing else', async () => {
  const { fingerprint } = await loadTokenizer(fixture)
  const printOf = async (change: (json: Json) => unknown, files?: Record<string, unknown>) =>
    (await loadTokenizer(await changed(change, files))).fingerprint
  expect(
    await printOf((json) => {
      json['decoder'] = null
    }),
  ).toBe(fingerprint)
  expect(
    await printOf((json) => {
      json['truncation'] = null
    }),
  ).toBe(fingerprint)
  expect(
    await printOf((json) => {
      json.model.merges = (json.model.merges as string[][]).map((pair) => pair.join(' '))
    }),
  ).toBe(fingerprint)
  expect(
    await printOf((json) => {
      json['normalizer'] = null
    }),
  ).not.toBe(fingerprint)
  expect(
    await printOf((json) => {
      ;(json.model.merges as unknown[]).pop()
    }),
  ).not.toBe(fingerprint)
  expect(
    await printOf((json) => {
      json.added_tokens[2]!['special'] = true
    }),
  ).not.toBe(fingerprint)
  expect(await printOf(same, { 'tokenizer_config.json': { eos_token: '<|eot|>' } })).not.toBe(fingerprint)
})

test('the plugin registers every kind', () => {
  const { hooks } = new PluginSession(work).use(plugin)
  expect(hooks.tokenizer.names()).toEqual(['gguf', 'gpt2', 'sentencepiece', 'tokenizer.json'])
})

describe('damaged and hostile files', () => {
  const cases: [string, (json: Json) => unknown, string, Record<string, unknown>?][] = [
    ['cut short', () => '{"version": "1.0", "model": {"vo', 'not valid JSON'],
    ['not an object', () => '[]', 'expected a JSON object'],
    ['no model', (json) => void Reflect.deleteProperty(json, 'model'), 'model: expected an object'],
    ['no vocabulary', (json) => void (json.model.vocab = null as never), 'model.vocab'],
    ['no merges', (json) => void Reflect.deleteProperty(json.model, 'merges'), 'model.merges'],
    ['a merge that is none', (json) => void (json.model.merges = [['a']]), 'model.merges[0]'],
    [
      'a merge outside the vocabulary',
      (json) => void (json.model.merges = [['a', 'nowhere']]),
      'model.merges: Token `nowhere`',
    ],
    ['an id that is text', (json) => void (json.model.vocab['a'] = '7'), 'model.vocab'],
    ['a negative id', (json) => void (json.model.vocab['a'] = -1), 'model.vocab: the id of "a" is -1'],
    ['a huge id', (json) => void (json.model.vocab['a'] = 4e9), 'model.vocab: the id of "a" is 4000000000'],
    [
      'one id, two tokens',
      (json) => void (json.model.vocab['a'] = json.model.vocab['b']),
      'belongs to two tokens',
    ],
    [
      'an added token without id',
      (json) => void Reflect.deleteProperty(json.added_tokens[0]!, 'id'),
      'added_tokens[0]',
    ],
    [
      'an added token on an id in use',
      (json) => void (json.added_tokens[0]!['id'] = 5),
      'added_tokens: the id 5 belongs to two tokens',
    ],
    ['an unknown normaliser', (json) => void (json['normalizer'] = { type: 'Evil' }), 'normalizer'],
    ['a decoder that is text', (json) => void (json['decoder'] = 'x'), 'decoder: expected null or an object'],
    [
      'tokenizer_config.json broken',
      same,
      'tokenizer_config.json: not valid JSON',
      { 'tokenizer_config.json': '{' },
    ],
    [
      'a policy that is text',
      same,
      'add_bos_token: expected true or false',
      { 'tokenizer_config.json': { add_bos_token: 'yes' } },
    ],
    [
      'a template that is a number',
      same,
      'chat_template: expected a text',
      { 'tokenizer_config.json': { chat_template: 3 } },
    ],
    ['an added token elsewhere', same, 'its id is 3 here and', { 'added_tokens.json': { '<tool>': 3 } }],
    [
      'an id that is no number',
      same,
      'added_tokens.json: "<x>": expected an id',
      { 'added_tokens.json': { '<x>': 'a' } },
    ],
    [
      'a special that is a list',
      same,
      'eos_token: expected a text',
      { 'special_tokens_map.json': { eos_token: [] }, 'tokenizer_config.json': {} },
    ],
    ['an empty file', () => '', 'not valid JSON'],
  ]
  test.each(cases)('%s', async (_, change, message, files) => {
    const dir = await changed(change, files)
    await expect(loadTokenizer(dir)).rejects.toMatchObject({
      name: 'IftError',
      code: 'IFT_FILE_CORRUPT',
      message: expect.stringContaining(message) as string,
    })
    await expect(loadTokenizer(dir)).rejects.toMatchObject({
      message: expect.stringContaining(dir) as string,
    })
  })

  test('an eos that nobody knows', async () => {
    const dir = await changed(same, { 'tokenizer_config.json': { eos_token: '<|nowhere|>' } })
    await expect(loadTokenizer(dir)).rejects.toMatchObject({
      code: 'IFT_TOKENIZER_SPECIAL',
      message: expect.stringContaining('eos_token') as string,
    })
  })

  test('an empty folder names what was looked for', async () => {
    await expect(loadTokenizer(await mkdtemp(join(work, 'empty-')))).rejects.toMatchObject({
      code: 'IFT_TOKENIZER_MISSING',
      message: expect.stringContaining('tokenizer.model') as string,
    })
  })
})
