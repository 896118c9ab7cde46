import { unsupported } from '../errors.js'
import { addedToken, type ComponentJson, type ModelJson, type TokenizerJson } from '../tokenizer-json.js'
import { pieceType, type SentencePieceModel } from './model.js'

const space = '▁'

/**
 * Merges that give what SentencePiece's scores give: every way to split a piece into two, in the order of the piece's
 * score and then of the ids of the halves. Only normal pieces are ever put together.
 */
export function bpeMerges({ pieces }: Pick<SentencePieceModel, 'pieces'>): [string, string][] {
  const ids = new Map<string, number>()
  for (const [id, { text, type }] of pieces.entries()) if (type === pieceType.normal) ids.set(text, id)
  const merges: { left: number; right: number; score: number }[] = []
  for (const [text, id] of ids) {
    const { score } = pieces[id]!
    for (let at = 1; at < text.length; at++) {
      // Halves of a surrogate pair are in no vocabulary.
      const left = ids.get(text.slice(0, at))
      const right = left === undefined ? undefined : ids.get(text.slice(at))
      if (left !== undefined && right !== undefined) merges.push({ left, right, score })
    }
  }
  merges.sort((a, b) => b.score - a.score || a.left - b.left || a.right - b.right)
  return merges.map(({ left, right }) => [pieces[left]!.text, pieces[right]!.text])
}

function modelJson(model: SentencePieceModel): ModelJson {
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
  return {
    type: 'BPE',
    dropout: null,
    unk_token: pieces[unkId]!.text,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: true,
    byte_fallback: byteFallback,
    ignore_merges: false,
    vocab,
    merges: bpeMerges(model),
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
}

/**
 * The tokenizer.json that gives the ids of a SentencePiece model. Throws IFT_TOKENIZER_UNSUPPORTED for word and character
 * models and for spaces written as suffixes.
 */
export function convertSentencePiece(
  model: SentencePieceModel,
  file: string,
  { legacy = true, prefixSpace = null }: ConvertOptions = {},
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
  const normalizers: ComponentJson[] = []
  if (model.charsMap.length > 0)
    normalizers.push({
      type: 'Precompiled',
      precompiled_charsmap: Buffer.from(model.charsMap).toString('base64'),
    })
  if (model.removeExtraSpaces)
    normalizers.push(replace({ Regex: '\\A +| +\\z' }, ''), replace({ Regex: ' {2,}' }, ' '))
  if (prefix && legacy) normalizers.push({ type: 'Prepend', prepend: mark })
  if (model.escapeSpaces && (legacy || !prefix)) normalizers.push(replace({ String: ' ' }, space))
  const decoders: ComponentJson[] = [replace({ String: space }, ' ')]
  if (model.byteFallback) decoders.push({ type: 'ByteFallback' })
  decoders.push({ type: 'Fuse' })
  if (prefix) decoders.push({ type: 'Strip', content: ' ', start: 1, stop: 0 })
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: model.pieces.flatMap(({ text, type }, id) =>
      type === pieceType.control || type === pieceType.unknown
        ? [addedToken(id, text)]
        : type === pieceType.userDefined
          ? [addedToken(id, text, { special: false })]
          : [],
    ),
    normalizer: sequence('normalizers', normalizers),
    pre_tokenizer:
      prefix && !legacy
        ? { type: 'Metaspace', replacement: mark, prepend_scheme: 'first', split: false }
        : null,
    post_processor: null,
    decoder: sequence('decoders', decoders),
    model: modelJson(model),
  }
}
