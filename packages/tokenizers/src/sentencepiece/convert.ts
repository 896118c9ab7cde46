import { unsupported } from '../errors.js'
import { addedToken, type ComponentJson, type ModelJson, type TokenizerJson } from '../tokenizer-json.js'
import { bpeMerges } from './merges.js'
import { pieceType, type Piece, type SentencePieceModel } from './model.js'

const space = '▁'

/**
 * Spaces at both ends of a text. Where spaces are written as marks, a mark that stands in the text itself goes at its end, as SentencePiece
 * sees no difference there. A match begins where its run begins: tried from each place of a long run, it would take hours.
 */
export const outerSpaces = {
  marked: `\\A[ ${space}]+\\z|\\A +|(?<![ ${space}])[ ${space}]+\\z`,
  plain: '\\A +|(?<! ) +\\z',
} as const

/** `whole` finds a text that is a piece, which for a user-defined one no merge makes. */
function modelJson(model: SentencePieceModel, whole: boolean): ModelJson {
  const { pieces, unkId, byteFallback } = model
  if (model.type === 'unigram')
    return {
      type: 'Unigram',
      unk_id: unkId,
      vocab: pieces.map(({ text, score }) => [text, score] as const),
      byte_fallback: byteFallback,
    }
  const vocab = Object.create(null) as Record<string, number>
  for (const [id, { text }] of pieces.entries()) vocab[text] = id
  const { merges, ties } = bpeMerges(model)
  return {
    type: 'BPE',
    dropout: null,
    unk_token: pieces[unkId]!.text,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: true,
    byte_fallback: byteFallback,
    ignore_merges: whole,
    vocab,
    merges,
    ...(ties.length > 0 && { ties }),
  }
}

const replace = (pattern: { String: string } | { Regex: string }, content: string): ComponentJson => ({
  type: 'Replace',
  pattern,
  content,
})

const sequence = (type: 'normalizers' | 'decoders', steps: readonly ComponentJson[]): ComponentJson | null =>
  steps.length === 0 ? null : steps.length === 1 ? steps[0]! : { type: 'Sequence', [type]: steps }

export interface ConvertOptions {
  /** False: a space goes before the first piece of a text only, not before every piece between special tokens. */
  readonly legacy?: boolean
  /** Overrides the model's own choice to put a space in front. */
  readonly prefixSpace?: boolean | null
  /**
   * Texts that the tokenizer's own code replaces by pieces before encoding and restores after decoding: [text,
   * piece], in the order of replacement. User-defined pieces are then found in the normalised text.
   */
  readonly spelled?: readonly (readonly [text: string, piece: string])[]
  /** Pieces that are special whatever kind the model gives them. */
  readonly specials?: readonly string[]
}

const escaped = (text: string) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')

/**
 * The tokenizer.json that gives the ids of a SentencePiece model. Throws IFT_TOKENIZER_UNSUPPORTED for word and character
 * models and for spaces written as suffixes.
 */
export function convertSentencePiece(
  model: SentencePieceModel,
  file: string,
  { legacy = true, prefixSpace = null, spelled = [], specials = [] }: ConvertOptions = {},
): TokenizerJson {
  if (model.type !== 'bpe' && model.type !== 'unigram')
    throw unsupported(
      file,
      'trainer_spec.model_type',
      `${model.type} models are not supported, only BPE and Unigram.`,
    )
  if (model.spaceAsSuffix)
    throw unsupported(file, 'trainer_spec.treat_whitespace_as_suffix', 'true is not supported.')
  const prefix = prefixSpace ?? model.dummyPrefix
  const mark = model.escapeSpaces ? space : ' '
  const normalizers: ComponentJson[] = spelled.map(([text, piece]) => replace({ String: text }, piece))
  if (model.charsMap.length > 0)
    normalizers.push({
      type: 'Precompiled',
      precompiled_charsmap: Buffer.from(model.charsMap).toString('base64'),
      match: 'longest',
    })
  if (model.removeExtraSpaces) {
    const outer = model.escapeSpaces ? outerSpaces.marked : outerSpaces.plain
    normalizers.push(replace({ Regex: outer }, ''), replace({ Regex: ' {2,}' }, ' '))
  }
  if (prefix && legacy) normalizers.push({ type: 'Prepend', prepend: mark })
  if (model.escapeSpaces && (legacy || !prefix)) normalizers.push(replace({ String: ' ' }, space))
  const decoders: ComponentJson[] = [
    replace({ String: space }, ' '),
    ...spelled.map(([text, piece]) => replace({ String: piece }, text)),
  ]
  const own = new Set(specials)
  const isSpecial = ({ text, type }: Piece) =>
    type === pieceType.control || type === pieceType.unknown || own.has(text)
  const isUsers = (piece: Piece) => piece.type === pieceType.userDefined && !isSpecial(piece)
  // The longest first, as SentencePiece matches them.
  const inText = spelled.length === 0 ? [] : model.pieces.filter(isUsers).map(({ text }) => escaped(text))
  inText.sort((a, b) => b.length - a.length)
  if (model.byteFallback) decoders.push({ type: 'ByteFallback' })
  decoders.push({ type: 'Fuse' })
  if (prefix) decoders.push({ type: 'Strip', content: ' ', start: 1, stop: 0 })
  const preTokenizers: ComponentJson[] = []
  if (prefix && !legacy)
    preTokenizers.push({ type: 'Metaspace', replacement: mark, prepend_scheme: 'first', split: false })
  if (inText.length > 0)
    preTokenizers.push({
      type: 'Split',
      pattern: { Regex: inText.join('|') },
      behavior: 'Isolated',
      invert: false,
    })
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: model.pieces.flatMap((piece, id) =>
      isSpecial(piece)
        ? [addedToken(id, piece.text)]
        : isUsers(piece) && inText.length === 0
          ? [addedToken(id, piece.text, { special: false })]
          : [],
    ),
    normalizer: sequence('normalizers', normalizers),
    pre_tokenizer:
      preTokenizers.length > 1
        ? { type: 'Sequence', pretokenizers: preTokenizers }
        : (preTokenizers[0] ?? null),
    post_processor: null,
    decoder: sequence('decoders', decoders),
    model: modelJson(model, inText.length > 0),
  }
}
