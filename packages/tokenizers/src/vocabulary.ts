import { corrupt } from './errors.js'
import { isUnigram, type TokenizerJson } from './tokenizer-json.js'

/** No published vocabulary comes near; a larger id in a file is damage, and would cost memory in proportion. */
const largestId = 1 << 24

/** Text of every id: the model's vocabulary and the added tokens. Ids without a token are holes. */
export function vocabularyOf(json: TokenizerJson, file: string): (string | undefined)[] {
  const tokens: (string | undefined)[] = []
  const fill = (length: number) => {
    while (tokens.length < length) tokens.push(undefined)
  }
  const put = (id: unknown, token: string, field: string) => {
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id >= largestId)
      throw corrupt(
        file,
        field,
        `the id of ${JSON.stringify(token)} is ${String(id)}, expected 0 … ${largestId - 1}.`,
      )
    const present = tokens[id]
    if (present !== undefined && present !== token)
      throw corrupt(
        file,
        field,
        `the id ${id} belongs to two tokens, ${JSON.stringify(present)} and ${JSON.stringify(token)}.`,
      )
    fill(id + 1)
    tokens[id] = token
  }
  if (isUnigram(json.model))
    for (const [id, [token]] of json.model.vocab.entries()) put(id, token, 'model.vocab')
  else for (const token of Object.keys(json.model.vocab)) put(json.model.vocab[token], token, 'model.vocab')
  for (const { id, content } of json.added_tokens) put(id, content, 'added_tokens')
  if (tokens.length === 0) throw corrupt(file, 'model.vocab', 'the vocabulary is empty.')
  return tokens
}
