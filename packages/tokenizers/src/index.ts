import { defineTokenizer, definePlugin, type Tokenizer, type TokenizerDefinition } from '@ift/core'
import { missing } from './kind/files.js'
import { gguf } from './kind/gguf.js'
import { gpt2 } from './kind/gpt2.js'
import { tokenizerJson } from './kind/json.js'
import { sentencePiece } from './kind/sentencepiece.js'

export { createTokenizer, type TokenizerParts } from './assemble.js'
export { fromGgufMetadata } from './gguf.js'
export { gguf } from './kind/gguf.js'
export { gpt2 } from './kind/gpt2.js'
export { tokenizerJson } from './kind/json.js'
export { sentencePiece } from './kind/sentencepiece.js'
export { convertSentencePiece, type ConvertOptions } from './sentencepiece/convert.js'
export { parseSentencePiece, type Piece, type SentencePieceModel } from './sentencepiece/model.js'
export { readOptional, readSettings, type TokenizerSettings } from './settings.js'
export { isTiktoken, parseTiktoken, tiktokenJson } from './tiktoken.js'
export { addedToken } from './tokenizer-json.js'
export { exists } from './kind/files.js'
export type {
  AddedTokenJson,
  ComponentJson,
  MapModelJson,
  ModelJson,
  TokenizerJson,
  UnigramModelJson,
} from './tokenizer-json.js'
export type { SpecialName } from './settings.js'

/** The kinds of tokenizer files, the most complete one first. */
export const definitions: readonly TokenizerDefinition[] = [tokenizerJson, sentencePiece, gpt2, gguf]

/** The tokenizer of a folder, of whichever files it holds, or of a GGUF file. Throws IFT_TOKENIZER_MISSING. */
export async function loadTokenizer(dir: string): Promise<Tokenizer> {
  for (const definition of definitions) if (await definition.detect(dir)) return definition.load(dir)
  throw missing(dir, ['tokenizer.json', 'tokenizer.model', 'vocab.json with merges.txt'])
}

/** Registers the kinds of tokenizer files. */
export const plugin = definePlugin('tokenizers', (ift) => {
  for (const definition of definitions) ift.use(defineTokenizer(definition))
})
