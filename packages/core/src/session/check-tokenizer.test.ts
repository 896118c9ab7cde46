import { expect, test } from 'vitest'
import { checkTokenizer } from './check-tokenizer.js'

const code = (
  vocabSize: number,
  vocab: number,
  specials: readonly (readonly [string, number])[] = [],
  chosen = false,
) => {
  try {
    checkTokenizer({ vocabSize, specials: new Map(specials) }, { vocab }, '/models/x', chosen)
    return null
  } catch (error) {
    return (error as { code: string }).code
  }
}

test.each([
  // Padded tables: BLOOM, MOSS, Qwen2.5 7B.
  [250_680, 250_880],
  [106_070, 107_008],
  [151_665, 152_064],
  // A toy.
  [12, 4000],
])('%i ids belong to %i rows', (ids, rows) => {
  expect(code(ids, rows)).toBeNull()
})

test.each([
  // LLaMA's on Qwen, ChatGLM's on BLOOM, Qwen's on LLaMA.
  [32_000, 151_936],
  [64_798, 250_880],
  [151_665, 32_000],
])('%i ids belong to another model than one of %i rows', (ids, rows) => {
  expect(code(ids, rows)).toBe('IFT_TOKENIZER_MISMATCH')
})

test('a special token beyond the table is never written', () => {
  // Gemma 3's tokenizer has one for pictures.
  expect(code(262_145, 262_144, [['<image_soft_token>', 262_144]])).toBeNull()
  expect(code(262_145, 262_144, [['<bos>', 2]])).toBe('IFT_TOKENIZER_MISMATCH')
})

test('a tokenizer that the config names may leave rows unused, and may not lack any', () => {
  expect(code(512, 32_000, [], true)).toBeNull()
  expect(code(32_001, 32_000, [], true)).toBe('IFT_TOKENIZER_MISMATCH')
})
