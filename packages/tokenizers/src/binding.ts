import type { NativeTokenizer } from './addon.js'
import { corrupt, messageOf } from './errors.js'
import { checkAddedTokens, checkComponents } from './library-faults.js'
import { addon } from './load.js'
import {
  isUnigram,
  type AddedTokenJson,
  type ComponentJson,
  type MapModelJson,
  type ModelJson,
  type TokenizerJson,
} from './tokenizer-json.js'

type Rename = (token: string) => string

/**
 * The binding gives an added token that is not in the model's vocabulary the next free id and ignores the id of the
 * file. With the token in the vocabulary it keeps the id of the file; the model itself never produces it, because no
 * merge does.
 */
function withAddedTokens(model: MapModelJson, added: readonly AddedTokenJson[]): MapModelJson {
  const missing = added.filter(({ content }) => !Object.hasOwn(model.vocab, content))
  if (missing.length === 0) return model
  const vocab = Object.assign(Object.create(null) as Record<string, number>, model.vocab)
  for (const { content, id } of missing) vocab[content] = id
  return { ...model, vocab }
}

function renameModel(model: ModelJson, rename: Rename, renamed: ReadonlySet<string>): ModelJson {
  if (isUnigram(model))
    return { ...model, vocab: model.vocab.map(([token, score]) => [rename(token), score] as const) }
  const vocab = Object.assign(Object.create(null) as Record<string, number>, model.vocab)
  for (const token of renamed) {
    const id = vocab[token]
    if (id === undefined) continue
    // eslint-disable-next-line @typescript-eslint/no-dynamic-delete
    delete vocab[token]
    vocab[rename(token)] = id
  }
  const spells = (left: string, right: string) =>
    renamed.has(left) || renamed.has(right) || renamed.has(left + right)
  return {
    ...model,
    vocab,
    ...(typeof model.unk_token === 'string' && { unk_token: rename(model.unk_token) }),
    ...(model.merges && {
      merges: model.merges.filter((pair) => {
        if (typeof pair !== 'string') return !spells(pair[0], pair[1])
        const [left = '', right = ''] = pair.split(' ')
        return !spells(left, right)
      }),
    }),
  }
}

/**
 * A Unigram model finds the pieces of its byte fallback in text that spells them out, '<0x0A>', where SentencePiece
 * finds characters; a cut behind the bracket keeps them apart.
 */
function withoutBytePieces({ model, pre_tokenizer: own }: TokenizerJson): ComponentJson | null {
  if (!isUnigram(model) || model['byte_fallback'] !== true) return own
  const cut: ComponentJson = {
    type: 'Split',
    pattern: { Regex: '(?<=<)(?=0x[0-9A-F]{2}>)' },
    behavior: 'Isolated',
    invert: false,
  }
  return own ? { type: 'Sequence', pretokenizers: [own, cut] } : cut
}

/** In the place of a model that stands beside its tokenizer. */
const standIn: MapModelJson = { type: 'BPE', vocab: {}, merges: [] }

/** Fields of a BPE that the library's own reader of one knows; it stops at others. */
const bpeFields = [
  ...(['type', 'dropout', 'unk_token', 'continuing_subword_prefix', 'end_of_word_suffix'] as const),
  ...(['fuse_unk', 'byte_fallback', 'ignore_merges', 'vocab', 'merges'] as const),
]

/**
 * What the library reads of a BPE. Its merges are written as 'left right' where no token has a blank: they are read in a third of the time of
 * pairs.
 */
function bpeOf(model: MapModelJson): Record<string, unknown> {
  const fields = Object.fromEntries(bpeFields.map((name) => [name, model[name]]))
  const merges: string[] = []
  for (const pair of model.merges ?? []) {
    if (typeof pair !== 'string' && (pair[0].includes(' ') || pair[1].includes(' '))) return fields
    merges.push(typeof pair === 'string' ? pair : `${pair[0]} ${pair[1]}`)
  }
  return model.merges ? { ...fields, merges } : fields
}

/**
 * An instance of Hugging Face's `tokenizers` that adds, cuts and pads nothing. Throws IFT_FILE_CORRUPT for what it cannot open and
 * for what would end the process. `names` gives added tokens other names than
 * their own, such as no text contains, so that text which looks like one is only text; ids stay the same. `withWords` asks for
 * the word of each token.
 */
export function openBinding(
  json: TokenizerJson,
  file: string,
  names: ReadonlyMap<string, string>,
  withWords = false,
): NativeTokenizer {
  const rename: Rename = (token) => names.get(token) ?? token
  const whole = isUnigram(json.model) ? json.model : withAddedTokens(json.model, json.added_tokens)
  const added_tokens = json.added_tokens.map((token) => ({
    ...token,
    content: rename(token.content),
    ...(names.has(token.content) && { single_word: false, normalized: false }),
  }))
  const model = names.size > 0 ? renameModel(whole, rename, new Set(names.keys())) : whole
  checkComponents(json, file)
  const { NativeTokenizer } = addon()
  let binding: NativeTokenizer
  try {
    const whole = {
      ...json,
      ...{ pre_tokenizer: withoutBytePieces(json), post_processor: null },
      ...{ truncation: null, padding: null, added_tokens, model },
    }
    binding =
      !isUnigram(model) && model.type === 'BPE'
        ? NativeTokenizer.open(
            JSON.stringify({ ...whole, added_tokens: [], model: standIn }),
            ...([withWords, JSON.stringify(bpeOf(model)), JSON.stringify(added_tokens)] as const),
          )
        : NativeTokenizer.open(JSON.stringify(whole), withWords)
  } catch (cause) {
    throw corrupt(
      file,
      fieldOf(messageOf(cause)),
      `${messageOf(cause).replace(/ at line \d+ column \d+$/, '')}.`,
      cause,
    )
  }
  checkAddedTokens(binding, added_tokens, file)
  for (const { id, content } of added_tokens) {
    const given = binding.tokenToId(content)
    if (given !== id)
      throw corrupt(
        file,
        'added_tokens',
        `${JSON.stringify(content)} has the id ${id}, which leaves a gap: the next free id is ${String(given)}.`,
      )
  }
  return binding
}

const fieldOf = (message: string) =>
  message.includes('out of vocabulary') || message.includes('Merges')
    ? 'model.merges'
    : /unk/i.test(message)
      ? 'model.unk_token'
      : 'model, normalizer, pre_tokenizer or decoder'
