import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Tokenizer } from '@ift/core'
import { loadTokenizer } from '@ift/tokenizers'
import { expect } from 'vitest'

/** Texts with the ids that sentencepiece gives them, from the golden.json of a model. */
export const goldenOf = async (model: string) =>
  JSON.parse(await readFile(join(model, 'golden.json'), 'utf8')) as [text: string, ids: number[]][]

/** Expects the ids of sentencepiece. */
export async function expectGolden(
  tokenizer: Tokenizer,
  golden: readonly [string, number[]][],
): Promise<void> {
  const found = await tokenizer.encodeBatch(golden.map(([text]) => text))
  expect(found.map(({ ids }, i) => [golden[i]![0], [...ids]])).toEqual(golden)
}

/** Expects the ids of sentencepiece from a model, and again from what its tokenizer saves. */
export async function expectGoldenSaved(model: string): Promise<void> {
  const golden = await goldenOf(model)
  const tokenizer = await loadTokenizer(model)
  const saved = await mkdtemp(join(tmpdir(), 'ift-saved-tokenizer-'))
  try {
    await tokenizer.save(saved)
    const again = await loadTokenizer(saved)
    expect(again.fingerprint).toBe(tokenizer.fingerprint)
    for (const which of [tokenizer, again]) await expectGolden(which, golden)
  } finally {
    await rm(saved, { recursive: true })
  }
}
