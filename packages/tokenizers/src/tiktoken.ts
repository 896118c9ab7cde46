import { byteLevel, byteLevelJson, isolate, words } from './byte-level.js'
import { byteCharacters } from './decode.js'
import { corrupt } from './errors.js'
import type { AddedTokenJson, TokenizerJson } from './tokenizer-json.js'

const line = /^([A-Za-z0-9+/]+={0,2}) (\d{1,9})$/

/** Whether a file is a list of tokens in base64 with their ranks, as tiktoken reads it. */
export const isTiktoken = (bytes: Uint8Array): boolean => {
  const end = bytes.indexOf(0x0a)
  const first = Buffer.from(bytes.subarray(0, end < 0 ? bytes.length : end)).toString('latin1')
  return line.test(first.trimEnd())
}

/**
 * The tokens of such a file by rank, in GPT-2's alphabet of bytes. Throws IFT_FILE_CORRUPT naming the line; ranks count
 * from 0 without a gap.
 */
export function parseTiktoken(bytes: Uint8Array, file: string): string[] {
  const characters = byteCharacters()
  const tokens: string[] = []
  const seen = new Set<string>()
  for (const [i, text] of Buffer.from(bytes).toString('latin1').split(/\r?\n/).entries()) {
    if (text.trim() === '') continue
    const match = line.exec(text.trimEnd())
    if (!match) throw corrupt(file, `line ${i + 1}`, 'expected a token in base64, a space and its rank.')
    const rank = Number(match[2])
    const token = Array.from(Buffer.from(match[1]!, 'base64'), (byte) => characters[byte]).join('')
    if (token === '' || seen.has(token))
      throw corrupt(file, `line ${i + 1}`, `the token ${JSON.stringify(token)} is empty or there twice.`)
    if (rank !== tokens.length)
      throw corrupt(file, `line ${i + 1}`, `expected the rank ${tokens.length}, found ${rank}.`)
    seen.add(token)
    tokens.push(token)
  }
  for (const [byte, character] of characters.entries())
    if (!seen.has(character)) throw corrupt(file, 'tokens', `there is none for the byte ${byte}.`)
  return tokens
}

/**
 * The tokenizer.json that gives the ids of tiktoken with these ranks and cl100k_base's way to split text. Pairs are
 * merged in the order of the rank of their result, so every split of a token into two tokens is a merge with its
 * rank.
 */
export function tiktokenJson(tokens: readonly string[], added: readonly AddedTokenJson[]): TokenizerJson {
  const vocab = Object.create(null) as Record<string, number>
  for (const [rank, token] of tokens.entries()) vocab[token] = rank
  const merges: [string, string][] = []
  for (const token of tokens) {
    const splits: [string, string][] = []
    for (let at = 1; at < token.length; at++) {
      const [left, right] = [token.slice(0, at), token.slice(at)]
      if (left in vocab && right in vocab) splits.push([left, right])
    }
    merges.push(...splits.sort((a, b) => vocab[a[0]]! - vocab[b[0]]! || vocab[a[1]]! - vocab[b[1]]!))
  }
  return byteLevelJson({
    vocab,
    merges,
    preTokenizer: {
      type: 'Sequence',
      pretokenizers: [isolate(words('\\p{N}{1,3}')), byteLevel(false, false)],
    },
    ignoreMerges: true,
    added,
  })
}
