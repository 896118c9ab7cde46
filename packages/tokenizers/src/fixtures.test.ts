import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Tokenizer } from '@ift/core'
import { tokenizerConformance } from '@ift/core/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadTokenizer } from './index.js'

const root = fileURLToPath(new URL('../../../fixtures/tokenizers', import.meta.url))

interface Golden {
  readonly cases: readonly {
    readonly text: string
    readonly ids: readonly number[]
    readonly decoded: string | null
  }[]
}
const goldenOf = async (name: string) =>
  (JSON.parse(await readFile(join(root, name, 'golden.json'), 'utf8')) as Golden).cases

let work: string
beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'ift-tokenizer-'))
})
afterAll(() => rm(work, { recursive: true, force: true }))

const fixtures = [
  { name: 'sp-bpe', lossless: true },
  { name: 'sp-bpe-user', lossless: false },
  { name: 'sp-unigram', lossless: false },
  { name: 'sp-unigram-bytes', lossless: true },
  { name: 'byte-level', lossless: true },
  { name: 'word-piece', lossless: false },
]

describe.each(fixtures)('$name', ({ name, lossless }) => {
  let tokenizer: Tokenizer
  beforeAll(async () => {
    tokenizer = await loadTokenizer(join(root, name))
  })

  test('ids and texts are those of the reference implementation', async () => {
    for (const { text, ids, decoded } of await goldenOf(name)) {
      expect([...(await tokenizer.encode(text)).ids], JSON.stringify(text)).toEqual(ids)
      if (decoded !== null)
        expect(await tokenizer.decode(ids, { specials: true }), JSON.stringify(text)).toBe(decoded)
    }
  })

  for (const { name: what, run } of tokenizerConformance(name, () => loadTokenizer(join(root, name)), {
    decoded: (text) => (lossless ? text : null),
  }))
    test(what, run)

  test('saved and loaded again it is the same', async () => {
    const dir = join(work, name)
    await tokenizer.save(dir)
    const again = await loadTokenizer(dir)
    expect(again.fingerprint).toBe(tokenizer.fingerprint)
    for (const field of [
      'vocabSize',
      'bosId',
      'eosId',
      'addBos',
      'addEos',
      'chatTemplate',
      'specials',
    ] as const)
      expect(again[field], field).toEqual(tokenizer[field])
  })
})
