import { createHash } from 'node:crypto'
import { isUnigram, type TokenizerJson } from './tokenizer-json.js'

/** JSON with sorted keys: equal values give equal texts. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value === 'object' && value !== null)
    return `{${Object.entries(value)
      .filter(([, field]) => field !== undefined && field !== null)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, field]) => `${JSON.stringify(key)}:${canonical(field)}`)
      .join(',')}}`
  return JSON.stringify(value)
}

/** sha256 over everything that decides ids; decoder and post-processor have no part in it. */
export function fingerprintOf(
  json: TokenizerJson,
  vocabulary: readonly (string | undefined)[],
  policy: Readonly<Record<string, unknown>>,
): string {
  const hash = createHash('sha256')
  const { vocab: _vocab, merges, ...model } = json.model
  hash.update(
    canonical({
      normalizer: json.normalizer,
      preTokenizer: json.pre_tokenizer,
      addedTokens: [...json.added_tokens].sort((a, b) => a.id - b.id),
      model,
      policy,
    }),
  )
  hash.update('\nvocab\n')
  hash.update(JSON.stringify(vocabulary))
  if (isUnigram(json.model)) hash.update(JSON.stringify(json.model.vocab.map(([, score]) => score)))
  hash.update('\nmerges\n')
  if (Array.isArray(merges))
    hash.update(
      (merges as (string | string[])[])
        .map((pair) => (typeof pair === 'string' ? pair : pair.join(' ')))
        .join('\n'),
    )
  return hash.digest('hex')
}
