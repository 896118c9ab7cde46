import { cp, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import llamaTokenizer from 'llama-tokenizer-js'
import { tokenizerConformance } from '@ift/core/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Tokenizer } from '@ift/core'
import { loadTokenizer, sentencePiece } from '../index.js'

const root =
  process.env['IFT_SHARED'] ?? resolve(fileURLToPath(new URL('../../../../../shared', import.meta.url)))
const dir = join(root, 'assets/llama-tokenizer')
const absent = !existsSync(join(dir, 'tokenizer.model'))
if (absent)
  process.stderr.write(`skipped: ${dir} is absent (set IFT_SHARED to the folder of the shared test data)\n`)

const expected = (text: string): number[] => llamaTokenizer.encode(text, false)

/** Every text of a JSON value. */
function* textsIn(value: unknown): Generator<string> {
  if (typeof value === 'string') yield value
  else if (typeof value === 'object' && value !== null)
    for (const part of Object.values(value)) yield* textsIn(part)
}

async function sampleTexts(limit: number): Promise<string[]> {
  const texts: string[] = []
  for (const folder of ['alpaca', 'belle_cn', 'firefly', 'cot', 'sharegpt', 'code_alpaca', 'csl']) {
    const from = join(root, 'samples', folder)
    if (!existsSync(from)) continue
    const own: string[] = []
    for (const name of (await readdir(from)).sort()) {
      const content = await readFile(join(from, name), 'utf8')
      if (name.endsWith('.json')) own.push(...textsIn(JSON.parse(content)))
      else own.push(...content.split('\n'))
    }
    const step = Math.max(1, Math.floor(own.length / limit))
    texts.push(...own.filter((text, i) => text !== '' && i % step === 0).slice(0, limit))
  }
  return texts.map((text) => text.slice(0, 2000).replace(/[\ud800-\udbff]$/, ''))
}

describe.skipIf(absent)('the LLaMA tokenizer', () => {
  let tokenizer: Tokenizer
  let work: string
  beforeAll(async () => {
    tokenizer = await sentencePiece.load(dir)
    work = await mkdtemp(join(tmpdir(), 'ift-tokenizer-'))
  })
  afterAll(() => rm(work, { recursive: true, force: true }))

  test('has the published sizes and tokens', () => {
    expect(tokenizer.vocabSize).toBe(32000)
    expect([tokenizer.bosId, tokenizer.eosId]).toEqual([1, 2])
    expect([tokenizer.addBos, tokenizer.addEos]).toEqual([true, false])
    expect([...tokenizer.specials]).toEqual([
      ['<unk>', 0],
      ['<s>', 1],
      ['</s>', 2],
    ])
  })

  test('gives the ids of llama-tokenizer-js on hundreds of documents', async () => {
    const texts = [
      ...(await sampleTexts(80)),
      ' leading blank',
      'trailing ',
      '   ',
      '\n\n\t',
      '😀👩‍👩‍👧‍👦 𠮷',
      'constructor __proto__ toString',
    ]
    expect(texts.length).toBeGreaterThan(300)
    expect(texts.filter((text) => /\p{Script=Han}/u.test(text)).length).toBeGreaterThan(100)
    const encodings = await tokenizer.encodeBatch(texts)
    for (const [i, text] of texts.entries()) expect([...encodings[i]!.ids], text).toEqual(expected(text))
  })

  for (const { name, run } of tokenizerConformance('llama', () => tokenizer, {
    golden: [
      // From the LLaMA release: "<s> Hello world" is 1 15043 3186.
      { text: 'Hello world', ids: [15043, 3186] },
    ],
  }))
    test(name, run)

  test('takes bos and eos from the model where early conversions leave them empty or wrong', async () => {
    for (const [i, eos] of ['', '<|nowhere|>', { content: '' }].entries()) {
      const folder = join(work, `early-${i}`)
      await cp(dir, folder, { recursive: true })
      const config = { tokenizer_class: 'LLaMATokenizer', bos_token: '', eos_token: eos, unk_token: '' }
      await writeFile(join(folder, 'tokenizer_config.json'), JSON.stringify(config))
      await writeFile(join(folder, 'special_tokens_map.json'), '{}')
      const early = await loadTokenizer(folder)
      expect([early.bosId, early.eosId, early.addBos]).toEqual([1, 2, true])
    }
  })

  test('an added [PAD] has its id, and the policy of the config wins', async () => {
    const folder = join(work, 'padded')
    await cp(dir, folder, { recursive: true })
    await writeFile(join(folder, 'added_tokens.json'), '{"[PAD]": 32000}')
    const config = {
      tokenizer_class: 'LlamaTokenizer',
      pad_token: '[PAD]',
      add_bos_token: false,
      add_eos_token: true,
    }
    await writeFile(join(folder, 'tokenizer_config.json'), JSON.stringify(config))
    const padded = await loadTokenizer(folder)
    expect(padded.vocabSize).toBe(32001)
    expect(padded.specials.get('[PAD]')).toBe(32000)
    expect([padded.addBos, padded.addEos]).toEqual([false, true])
    expect([...(await padded.encode('[PAD]')).ids]).toEqual(expected('[PAD]'))
  })

  test('a space goes in front of every piece by default, of the first only without legacy', async () => {
    const folder = join(work, 'modern')
    await cp(dir, folder, { recursive: true })
    await writeFile(join(folder, 'tokenizer_config.json'), '{"legacy": false}')
    const modern = await loadTokenizer(folder)
    const tokens = async (which: Tokenizer) =>
      [...(await which.encode('<s>a</s>b', { specials: true })).ids].map((id) => which.token(id))
    expect(await tokens(tokenizer)).toEqual(['<s>', '▁a', '</s>', '▁b'])
    expect(await tokens(modern)).toEqual(['<s>', 'a', '</s>', 'b'])
    expect(modern.fingerprint).not.toBe(tokenizer.fingerprint)
  })

  test('saved and loaded again it is the same', async () => {
    const folder = join(work, 'saved')
    const names = await tokenizer.save(folder)
    expect(names).toEqual(['tokenizer.json', 'tokenizer.model', 'tokenizer_config.json'])
    const again = await loadTokenizer(folder)
    expect(again.fingerprint).toBe(tokenizer.fingerprint)
    expect([again.bosId, again.eosId, again.addBos, again.addEos]).toEqual([1, 2, true, false])
    const twice = join(work, 'twice')
    await again.save(twice)
    expect(await readFile(join(twice, 'tokenizer.json'))).toEqual(
      await readFile(join(folder, 'tokenizer.json')),
    )
  })

  test('a character that never completes ends in U+FFFD', async () => {
    const { ids } = await tokenizer.encode('😀')
    const stream = tokenizer.decodeStream()
    let text = ''
    for (const id of ids.slice(0, -1)) text += await stream.push(id)
    expect(text.trim()).toBe('')
    expect(await stream.end()).toBe('\ufffd')
  })

  test.each([
    ['cut short', (bytes: Buffer) => bytes.subarray(0, bytes.length - 7)],
    ['cut inside a piece', (bytes: Buffer) => bytes.subarray(0, 1001)],
    ['not a model', () => Buffer.from('<!DOCTYPE html><html></html>')],
    ['empty', () => Buffer.alloc(0)],
    ['a length beyond the file', () => Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x7f, 1])],
    ['an endless varint', () => Buffer.alloc(64, 0xff)],
    ['a piece twice', (bytes: Buffer) => Buffer.concat([bytes, bytes.subarray(0, 40)])],
  ])('%s is an error that names the file', async (_, damage) => {
    const folder = await mkdtemp(join(work, 'bad-'))
    await writeFile(join(folder, 'tokenizer.model'), damage(await readFile(join(dir, 'tokenizer.model'))))
    await expect(loadTokenizer(folder)).rejects.toMatchObject({
      code: 'IFT_FILE_CORRUPT',
      message: expect.stringContaining(join(folder, 'tokenizer.model')) as string,
    })
  })
})
