import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Tokenizer } from 'tokenizers'
import { describe, expect, it } from 'vitest'
import { CHINESE_NOUNS, CHINESE_PEOPLE, ENGLISH_NOUNS, ENGLISH_PEOPLE } from '../problems/vocabulary.mjs'

const json = (name: string) =>
  JSON.parse(readFileSync(new URL(name, import.meta.url), 'utf8')) as Record<string, unknown>
const tokenizer = Tokenizer.fromFile(fileURLToPath(new URL('tokenizer.json', import.meta.url)))
const encode = (text: string) => tokenizer.encode(text, null, { addSpecialTokens: false })

describe('the tokenizer', () => {
  it('has 2048 entries, the special ones first', () => {
    expect(tokenizer.getVocabSize()).toBe(2048)
    expect(['<unk>', '<s>', '</s>'].map((token) => tokenizer.tokenToId(token))).toEqual([0, 1, 2])
    expect(json('config.json')['vocab_size']).toBe(2048)
    expect(json('config.json')).toMatchObject({ bos_token_id: 1, eos_token_id: 2 })
  })

  it.each([
    'Paul has 72 coins. He loses 30: 72-30=42.',
    '小芳有3个书架，每个书架有12张票。3×12=36。',
    "Let's  see:\n\n### Response:\n\tnaïve café 😀 ",
    '龘 rare characters ёж ٣',
  ])('gives back %j', async (text) => {
    const encoding = await encode(text)
    expect(await tokenizer.decode(encoding.getIds(), true)).toBe(text)
    expect(encoding.getIds()).not.toContain(0)
  })

  it('encodes a number digit by digit', async () => {
    const tokens = (await encode('120 和 1024=')).getTokens()
    expect(tokens.filter((token) => /^\d+$/.test(token))).toEqual(Array.from('1201024'))
    expect(tokens.some((token) => /\d/.test(token) && token.length > 1)).toBe(false)
  })

  it('begins a text with <s> and ends it without </s>', async () => {
    const ids = (await tokenizer.encode('coins')).getIds()
    expect(ids[0]).toBe(1)
    expect(ids).not.toContain(2)
    expect(json('tokenizer_config.json')).toMatchObject({ add_bos_token: true, add_eos_token: false })
  })

  it('has a token for every name and thing of the problems', async () => {
    for (const { name } of ENGLISH_PEOPLE) expect((await encode(` ${name}`)).getLength()).toBe(1)
    for (const { word } of ENGLISH_NOUNS) expect((await encode(` ${word}`)).getLength()).toBe(1)
    for (const { name } of CHINESE_PEOPLE) expect((await encode(`。${name}有`)).getTokens()).toHaveLength(3)
    for (const { word } of CHINESE_NOUNS) expect((await encode(word)).getLength()).toBe(1)
  })
})
