import { IftError } from '@ift/tensor'
import type { ModelShape, Tokenizer } from '../contract/index.js'

/** Smaller tables belong to experiments, whose tokenizer may leave any part of them unused. */
const published = 4096

/**
 * Refuses the tokenizer of another model: one with ids that the embedding has no rows for, or one that leaves more
 * than a quarter of the rows of a published size unused. Tables are padded by a few rows only, and special tokens
 * that lie beyond the table (those for pictures, in text models) are never written by a text. A tokenizer that the
 * config names itself (`chosen`) may leave any number of rows unused.
 */
export function checkTokenizer(
  tokenizer: Pick<Tokenizer, 'vocabSize' | 'specials'>,
  { vocab }: Pick<ModelShape, 'vocab'>,
  where: string,
  chosen = false,
): void {
  const { vocabSize, specials } = tokenizer
  const beyond = [...specials.values()].filter((id) => id >= vocab).length
  const fits = vocabSize - beyond <= vocab && (chosen || vocab < published || vocabSize >= 0.75 * vocab)
  if (fits) return
  throw new IftError(
    'IFT_TOKENIZER_MISMATCH',
    `${where}: the tokenizer has ${vocabSize} ids, the model's embedding ${vocab} rows: it belongs to another model.`,
    'Set tokenizer: to the folder that the model was published with.',
  )
}

/** Refuses a tokenizer in which a token that the model looks for has another id than config.json says, or is not there. */
export function checkTokenIds(
  { specials }: Pick<Tokenizer, 'specials'>,
  expected: readonly { readonly token: string; readonly field: string; readonly id: number }[],
  where: string,
): void {
  for (const { token, field, id } of expected) {
    const found = specials.get(token)
    if (found === id) continue
    throw new IftError(
      'IFT_TOKENIZER_MISMATCH',
      `${where}/config.json: ${field} is ${id}, ${
        found === undefined ? `the tokenizer has no ${token}` : `the tokenizer's ${token} is ${found}`
      }: it belongs to another model.`,
      'Set tokenizer: to the folder that the model was published with.',
    )
  }
}
