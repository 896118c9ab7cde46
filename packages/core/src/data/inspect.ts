import type { Tokenizer } from '../contract/tokenizer.js'
import { ignoredLabel } from './encode.js'
import type { Sample } from '../contract/data.js'

/** One token of a sample, for a view in colours. */
export interface InspectedToken {
  readonly id: number
  /** As the vocabulary writes it. */
  readonly token: string
  /** Characters that became whole with this token; '' inside one. */
  readonly text: string
  readonly trained: boolean
  readonly special: boolean
}

/** Tokens of a sample with what is learned of them. */
export async function inspectSample(
  { ids, labels }: Sample,
  tokenizer: Tokenizer,
): Promise<InspectedToken[]> {
  const specials = new Map(Array.from(tokenizer.specials, ([text, id]) => [id, text]))
  const stream = tokenizer.decodeStream()
  const tokens: InspectedToken[] = []
  for (const [i, id] of ids.entries()) {
    const name = specials.get(id)
    tokens.push({
      id,
      token: name ?? tokenizer.token(id) ?? `#${id}`,
      text: name ?? (await stream.push(id)),
      // The first token is never a target.
      trained: i > 0 && labels[i] !== ignoredLabel,
      special: name !== undefined,
    })
  }
  const rest = await stream.end()
  const last = tokens.at(-1)
  if (rest !== '' && last) tokens[tokens.length - 1] = { ...last, text: last.text + rest }
  return tokens
}
