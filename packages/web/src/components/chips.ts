import type { AnswerToken, ScoredToken } from '../api/completions.js'

/** A token as it is drawn; several tokens where each holds only a part of a character. */
export interface Chip {
  readonly text: string
  readonly tokens: readonly AnswerToken[]
  /** Of all its tokens together. */
  readonly probability: number
}

/** The text of bytes; null where they end inside of a character. Bytes that are no UTF-8 at all become U+FFFD. */
export function textOfBytes(bytes: readonly number[]): string | null {
  const all = Uint8Array.from(bytes)
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(all, { stream: true })
  const whole = new TextDecoder('utf-8', { ignoreBOM: true }).decode(all)
  // What a stream holds back is the beginning of a character.
  return text.length === whole.length ? whole : null
}

/**
 * The chips of an answer. Tokens whose bytes end inside of a character are joined with those behind them, until the character is whole; where
 * the bytes are not known, the text of the answer says what they are together.
 */
export function chipsOf(tokens: readonly AnswerToken[], answer = ''): readonly Chip[] {
  const chips: Chip[] = []
  // Some tokenizers begin every text with a space, which is none of the answer.
  let at = tokens[0]?.text.startsWith(' ') === true && !answer.startsWith(' ') ? -1 : 0
  for (let i = 0; i < tokens.length;) {
    let end = i
    let text: string | null = null
    const bytes: number[] = []
    while (end < tokens.length && text === null) {
      const token = tokens[end]!
      if (token.bytes === null) {
        // Up to the next token of which the text is known.
        while (end < tokens.length && tokens[end]!.bytes === null) end++
        const next = tokens[end]?.text
        const stop =
          next === undefined || next === '' ? answer.length : answer.indexOf(next, Math.max(0, at) + 1)
        text = answer.slice(Math.max(0, at), stop < 0 ? answer.length : stop)
      } else {
        bytes.push(...token.bytes)
        end++
        text = textOfBytes(bytes)
      }
    }
    text ??= new TextDecoder().decode(Uint8Array.from(bytes))
    const own = tokens.slice(i, end)
    chips.push({
      text,
      tokens: own,
      probability: Math.exp(own.reduce((sum, { logprob }) => sum + logprob, 0)),
    })
    at += text.length
    i = end
  }
  return chips
}

/** Tint of a probability: 0 none (from 90 %), to 4 (below 10 %). */
export const tintOf = (probability: number): 0 | 1 | 2 | 3 | 4 =>
  probability >= 0.9 ? 0 : probability >= 0.6 ? 1 : probability >= 0.3 ? 2 : probability >= 0.1 ? 3 : 4

/** A token in a list: `·` is a space in front, `↵` a line end; bytes of a part of a character as numbers. */
export function shownToken({ text, bytes }: ScoredToken): string {
  if (bytes !== null && bytes.length > 0 && textOfBytes(bytes) === null)
    return bytes.map((byte) => byte.toString(16).toUpperCase().padStart(2, '0')).join(' ')
  return text
    .replace(/^ +| +$/g, (spaces) => '·'.repeat(spaces.length))
    .replaceAll('\n', '↵')
    .replaceAll('\t', '⇥')
}

/** What stands in a token's place: the ten likeliest, and the token itself where it is none of them. Ranks begin at 1. */
export function placesOf(
  token: AnswerToken,
): readonly { readonly token: ScoredToken; readonly rank: number | null }[] {
  const top = token.top.slice(0, 10).map((one, i) => ({ token: one, rank: i + 1 }))
  return top.some((one) => isSame(one.token, token)) ? top : [...top, { token, rank: null }]
}

/** The rank of the token that was taken; null where it is none of those that are known. */
export function rankOf(token: AnswerToken): number | null {
  const at = token.top.findIndex((one) => isSame(one, token))
  return at < 0 ? null : at + 1
}

export const isSame = (a: ScoredToken, b: ScoredToken): boolean =>
  a.bytes !== null && b.bytes !== null
    ? String(a.bytes) === String(b.bytes)
    : a.text === b.text && a.logprob === b.logprob

/**
 * The answer that goes on from another token in the place of one: its text and tokens up to there. Null where that text would end inside of a
 * character: there is no text to go on from.
 */
export function answerFrom(
  tokens: readonly AnswerToken[],
  index: number,
  instead: ScoredToken,
): { readonly text: string; readonly tokens: readonly AnswerToken[] } | null {
  const kept = tokens.slice(0, index)
  const all = [...kept, { ...instead, top: tokens[index]!.top }]
  if (all.some(({ bytes }) => bytes === null)) return null
  const text = textOfBytes(all.flatMap(({ bytes }) => bytes ?? []))
  return text === null ? null : { text, tokens: all }
}

/** Probability as it is read: `8.2 %`, `< 0.1 %`. */
export const percent = (probability: number): string =>
  probability > 0 && probability < 0.0005 ? '< 0.1 %' : `${(100 * probability).toFixed(1)} %`

/** Log-probability with a true minus. */
export const nats = (value: number, digits = 2): string => value.toFixed(digits).replace('-', '−')
