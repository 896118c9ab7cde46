import type { LogProb, TokenLogProb, Tokenizer } from '@ift/core'

/** JSON has no -Infinity. */
const finite = (logprob: number): number => Math.max(logprob, -9999)

/** Texts and bytes of tokens by their ids. */
export class TokenTexts {
  readonly #tokenizer: Tokenizer
  readonly #specials: ReadonlySet<number>
  readonly #known = new Map<number, { readonly text: string; readonly bytes: readonly number[] }>()

  constructor(tokenizer: Tokenizer) {
    this.#tokenizer = tokenizer
    this.#specials = new Set(tokenizer.specials.values())
  }

  /** Looks ids up, which `text` and `bytes` know then. */
  async learn(ids: Iterable<number>): Promise<void> {
    const missing = [...new Set(ids)].filter((id) => !this.#known.has(id))
    await Promise.all(
      missing.map(async (id) => {
        const own = this.#tokenizer.bytes?.(id)
        const text = own
          ? new TextDecoder().decode(own)
          : await this.#tokenizer.decode([id], { specials: true })
        this.#known.set(id, { text, bytes: [...(own ?? new TextEncoder().encode(text))] })
      }),
    )
  }

  /** Text of a token; U+FFFD for a part of a character. */
  text(id: number): string {
    return this.#known.get(id)!.text
  }

  /** Characters that it adds to a text: special tokens add none. */
  width(id: number): number {
    return this.#specials.has(id) ? 0 : this.text(id).length
  }

  /** UTF-8. */
  bytes(id: number): readonly number[] {
    return this.#known.get(id)!.bytes
  }
}

const idsOf = (tokens: readonly (TokenLogProb | null)[]): number[] =>
  tokens.flatMap((token) => (token ? [token.id, ...token.top.map(({ id }) => id)] : []))

/** `logprobs.content` of a chat. */
export async function chatLogprobs(texts: TokenTexts, tokens: readonly TokenLogProb[]) {
  await texts.learn(idsOf(tokens))
  const shown = ({ id, logprob }: LogProb) => ({
    token: texts.text(id),
    logprob: finite(logprob),
    bytes: texts.bytes(id),
  })
  return {
    content: tokens.map((token) => ({ ...shown(token), top_logprobs: token.top.map(shown) })),
    refusal: null,
  }
}

/** `logprobs` of a completion. */
export interface TextLogprobs {
  readonly tokens: readonly string[]
  readonly token_logprobs: readonly (number | null)[]
  readonly top_logprobs: readonly (Readonly<Record<string, number>> | null)[]
  readonly text_offset: readonly number[]
}

/**
 * Of a completion, from the character `offset` on. A prompt's first token (`first`) has no log-probability. Where two tokens have one text
 * (parts of characters), the likelier one keeps it; the token itself always does.
 */
export async function textLogprobs(
  texts: TokenTexts,
  tokens: readonly (TokenLogProb | { readonly id: number; readonly logprob: null })[],
  offset = 0,
): Promise<TextLogprobs> {
  const scored = tokens.map((token) => (token.logprob === null ? null : token))
  await texts.learn([...idsOf(scored), ...tokens.map(({ id }) => id)])
  let at = offset
  return {
    tokens: tokens.map(({ id }) => texts.text(id)),
    token_logprobs: tokens.map(({ logprob }) => (logprob === null ? null : finite(logprob))),
    top_logprobs: scored.map((token) => {
      if (token === null) return null
      const top: Record<string, number> = {}
      for (const { id, logprob } of token.top) top[texts.text(id)] ??= finite(logprob)
      if (token.top.some(({ id }) => id === token.id)) {
        const text = texts.text(token.id)
        top[text] = Math.max(top[text] ?? -9999, finite(token.logprob))
      }
      return top
    }),
    text_offset: tokens.map(({ id }) => {
      const own = at
      at += texts.width(id)
      return own
    }),
  }
}
