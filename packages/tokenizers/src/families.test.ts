import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { tokenizerConformance } from '@ift/core/testing'
import { describe, expect, test } from 'vitest'
import { loadTokenizer } from './index.js'

const root = fileURLToPath(new URL('../../../fixtures/family-tokenizers', import.meta.url))

interface Golden {
  readonly cases: readonly { text: string; ids: number[]; whole: number[]; decoded: string | null }[]
  readonly chats: readonly { text: string; ids: number[] }[]
}

/** Normalised by NFC, or with a blank put in front: what comes back is not always what went in. */
const changesTexts = new Set(['qwen', 'qwen-vocab'])

describe.each(readdirSync(root))('%s', (name) => {
  const golden = JSON.parse(readFileSync(join(root, name, 'golden.json'), 'utf8')) as Golden
  const load = () => loadTokenizer(join(root, name))

  test('ids and texts are those of the reference implementation', async () => {
    const tokenizer = await load()
    for (const { text, ids, decoded } of golden.cases) {
      expect([...(await tokenizer.encode(text)).ids], JSON.stringify(text)).toEqual(ids)
      if (decoded !== null) expect(await tokenizer.decode(ids), JSON.stringify(text)).toBe(decoded)
    }
  })

  test('bos and eos stand around a text as the reference puts them', async () => {
    const tokenizer = await load()
    const { addBos, addEos, bosId, eosId } = tokenizer
    for (const { ids, whole } of golden.cases)
      expect([...(addBos ? [bosId] : []), ...ids, ...(addEos ? [eosId] : [])]).toEqual(whole)
  })

  test('special tokens are ids where they are asked for, and text where not', async () => {
    const tokenizer = await load()
    for (const { text, ids } of golden.chats) {
      expect([...(await tokenizer.encode(text, { specials: true })).ids], text).toEqual(ids)
      const special = new Set(tokenizer.specials.values())
      const plain = (await tokenizer.encode(text)).ids
      expect(plain.some((id) => special.has(id))).toBe(false)
      // A blank that the tokenizer puts in front is its own.
      expect((await tokenizer.decode(plain)).trimStart()).toBe(text)
    }
  })

  for (const { name: what, run } of tokenizerConformance(name, load, {
    decoded: (text) => (changesTexts.has(name) ? text.normalize('NFC') : text),
  }))
    test(what, run)
})
