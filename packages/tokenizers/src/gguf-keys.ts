import type { GgufValue, PromptFrame } from '@ift/core'
import { unsupported } from './errors.js'
import { glmSplits } from './gguf.js'
import { gpt2Words, splits, type Split } from './gguf-splits.js'
import { pieceType, type Piece } from './sentencepiece/model.js'
import { isUnigram, type ComponentJson, type MapModelJson, type TokenizerJson } from './tokenizer-json.js'

/** What of a tokenizer a GGUF file says. */
export interface GgufTokens {
  readonly json: TokenizerJson
  /** File that errors name. */
  readonly file: string
  readonly vocabulary: readonly (string | undefined)[]
  /** Pieces of the SentencePiece model that it was made from; their scores follow from the merges when absent. */
  readonly pieces?: (() => readonly Piece[]) | undefined
  readonly bosId: number | null
  readonly eosId: number | null
  readonly addBos: boolean
  readonly addEos: boolean
  readonly frame?: PromptFrame | undefined
  readonly named: ReadonlyMap<string, string | readonly string[]>
}

/** Score of tokens that no text becomes by merging. */
const neverMerged = -1000

/** A component and those inside it, in their order. */
function stepsOf(component: ComponentJson | null): readonly ComponentJson[] {
  if (component === null) return []
  const inner = component['pretokenizers'] ?? component['normalizers'] ?? component['decoders']
  return Array.isArray(inner) ? (inner as ComponentJson[]).flatMap(stepsOf) : [component]
}

const patternOf = ({ pattern }: ComponentJson): string => {
  const { Regex: regex, String: text } = pattern as { readonly Regex?: string; readonly String?: string }
  return regex ?? text?.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&') ?? ''
}

/** One way to write what several components do: patterns of which every match is a word, then bytes. */
function canonical(component: ComponentJson | null): string {
  const parts = stepsOf(component).flatMap((step) => {
    if (step.type === 'ByteLevel') return step['use_regex'] === false ? [] : [gpt2Words]
    if (step.type === 'Digits') return [step['individual_digits'] === true ? '\\p{N}' : '\\p{N}+']
    if (step.type === 'Split' && step['behavior'] === 'Isolated' && step['invert'] !== true)
      return [patternOf(step)]
    return [JSON.stringify(step)]
  })
  // BLOOM's published pattern has a class inside a class, which is a union.
  return parts
    .map((part) => part.replaceAll('[^(\\s|[.,!?…。，、।۔،])]', '[^(\\s|.,!?…。，、।۔،)]'))
    .join('\n')
}

/** Names of llama.cpp that stand for most tokenizers of their kind: the first that fits is written. */
const usual = ['llama-bpe', 'smollm', 'qwen2', 'gpt-2', 'tekken', 'gpt-4o', 'bloom', 'deepseek-v3', 'dbrx']

/** llama.cpp's name for how a byte-level tokenizer splits text; null where it has none. */
export function splitName({ pre_tokenizer, model }: TokenizerJson, isGlm: boolean): string | null {
  const wanted = canonical(pre_tokenizer)
  const ignores = (model as MapModelJson)['ignore_merges'] === true
  const names = [...usual, ...Object.keys(splits)].filter(
    (name) => glmSplits.has(name) === isGlm && canonical(splits[name]!.preTokenizer) === wanted,
  )
  const same = ({ ignoreMerges = false }: Split) => ignoreMerges === ignores
  return names.find((name) => same(splits[name]!)) ?? names[0] ?? null
}

const isByteLevel = ({ pre_tokenizer, decoder }: TokenizerJson) =>
  [...stepsOf(pre_tokenizer), ...stepsOf(decoder)].some(({ type }) => type === 'ByteLevel')

/** Scores that put pieces together in the order of the merges. */
function mergeScores(json: TokenizerJson, vocabulary: readonly (string | undefined)[]): Float32Array {
  const scores = new Float32Array(vocabulary.length).fill(neverMerged - vocabulary.length)
  const { vocab, merges = [] } = json.model as MapModelJson
  const ranks = new Map<number, number>()
  for (const [rank, merge] of merges.entries()) {
    const id = vocab[typeof merge === 'string' ? merge.replace(' ', '') : merge[0] + merge[1]]
    if (id !== undefined && !ranks.has(id)) ranks.set(id, rank)
  }
  for (const [id, rank] of ranks) scores[id] = -rank
  return scores
}

const mergeLine = (merge: readonly [string, string] | string) =>
  typeof merge === 'string' ? merge : `${merge[0]} ${merge[1]}`

/**
 * `tokenizer.ggml.*` of a tokenizer, for `rows` tokens; ids without one are of the type "unused". `split` is its `pre`, where that is not to be
 * found out. Throws IFT_TOKENIZER_UNSUPPORTED for what llama.cpp has no word for.
 */
export function ggufKeysOf(given: GgufTokens, rows: number, split?: string): Record<string, GgufValue> {
  const { json, file, vocabulary, bosId, eosId, addBos, addEos, frame, named } = given
  const { model } = json
  const pieces = given.pieces?.()
  if (isUnigram(model) || (model.type ?? 'BPE') !== 'BPE')
    throw unsupported(
      file,
      'model.type',
      `${JSON.stringify(model.type)} is in no GGUF file that ift writes, only BPE.`,
      'Export the model with its own tokenizer: npx ift export hf DIR',
    )
  if (vocabulary.length > rows && vocabulary.slice(rows).some((token) => token !== undefined)) {
    const beyond = json.added_tokens.filter(({ id }) => id >= rows).length
    if (vocabulary.length - beyond > rows)
      throw unsupported(file, 'model.vocab', `${vocabulary.length} tokens for an embedding of ${rows} rows.`)
  }
  const bytes = isByteLevel(json)
  const added = new Map(json.added_tokens.map((token) => [token.id, token]))
  const taken = new Set(vocabulary)
  const free = (text: string): string => (taken.has(text) ? free(`${text}_`) : text)
  const tokens: string[] = []
  const types = new Int32Array(rows)
  const scores = bytes
    ? null
    : pieces
      ? new Float32Array(rows).fill(neverMerged)
      : mergeScores(json, vocabulary)
  const ranked = scores === null ? null : new Float32Array(rows).fill(neverMerged)
  const unknown = named.get('unk_token') ?? model.unk_token
  for (let id = 0; id < rows; id++) {
    const text = vocabulary[id]
    const piece = pieces?.[id]?.text === text ? pieces?.[id] : undefined
    // llama.cpp's texts end at a zero byte; its own converter writes this for InternLM2's piece that is one.
    tokens[id] = text === undefined || text === '' ? free(`[PAD${id}]`) : text === '\0' ? free('🐉') : text
    const own = added.get(id)
    types[id] =
      text === undefined || text === '' || text === `[PAD${id}]`
        ? pieceType.unused
        : text === unknown
          ? pieceType.unknown
          : own?.special === true
            ? pieceType.control
            : own
              ? pieceType.userDefined
              : (piece?.type ??
                (model['byte_fallback'] === true && /^<0x[0-9A-F]{2}>$/.test(text)
                  ? pieceType.byte
                  : pieceType.normal))
    if (ranked !== null)
      ranked[id] = piece?.score ?? (own || pieces ? neverMerged : (scores![id] ?? neverMerged))
  }
  const isGlm = frame !== undefined && frame.before.length > 0
  const pre =
    split ?? (bytes ? splitName(json, isGlm) : frame && frame.before.length > 0 ? 'chatglm-spm' : 'default')
  if (pre === null)
    throw unsupported(
      file,
      'pre_tokenizer',
      'llama.cpp has no name for how it splits text, and another way gives other ids.',
      `Name the nearest one yourself: --pre NAME, of ${usual.join(', ')} and those of llama.cpp's llama-vocab.cpp.`,
    )
  const id = (name: string) => {
    const text = named.get(name)
    const found = typeof text === 'string' ? vocabulary.indexOf(text) : -1
    return found < 0 || found >= rows ? null : found
  }
  const ids = {
    bos: bosId,
    eos: eosId,
    unknown: typeof unknown === 'string' && vocabulary.includes(unknown) ? vocabulary.indexOf(unknown) : null,
    padding: id('pad_token'),
    seperator: id('sep_token'),
    mask: id('mask_token'),
  }
  const key = (name: string) => `tokenizer.ggml.${name}`
  return {
    [key('model')]: bytes ? 'gpt2' : 'llama',
    [key('pre')]: pre,
    [key('tokens')]: tokens,
    [key('token_type')]: types,
    ...(bytes
      ? { [key('merges')]: (model.merges ?? []).map(mergeLine) }
      : {
          [key('scores')]: ranked!,
          [key('add_space_prefix')]: addsSpace(json),
          ...(trimsSpaces(json) ? { [key('remove_extra_whitespaces')]: true } : {}),
        }),
    ...Object.fromEntries(
      Object.entries(ids).flatMap(([name, id]) =>
        id === null ? [] : [[key(`${name}_token_id`), { u32: id }]],
      ),
    ),
    [key('add_bos_token')]: addBos && bosId !== null,
    [key('add_eos_token')]: addEos && eosId !== null,
  }
}

/** Whether a blank goes before a text. */
const addsSpace = ({ normalizer, pre_tokenizer }: TokenizerJson): boolean =>
  stepsOf(normalizer).some(({ type }) => type === 'Prepend') ||
  stepsOf(pre_tokenizer).some(
    (step) =>
      step.type === 'Metaspace' && step['prepend_scheme'] !== 'never' && step['add_prefix_space'] !== false,
  )

/** Whether several blanks become one. */
const trimsSpaces = ({ normalizer }: TokenizerJson): boolean =>
  stepsOf(normalizer).some((step) => step.type === 'Replace' && patternOf(step) === ' {2,}')
