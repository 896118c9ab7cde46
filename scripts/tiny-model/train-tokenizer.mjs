// @ts-check
// Trains the tokenizer of the quick start's model and writes its folder's JSON files:
//   node scripts/tiny-model/train-tokenizer.mjs [--out examples/quickstart/model] [--documents 60000] [--seed 7]
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { BYTE_CHARACTERS, learnMerges, pretokens } from './bpe.mjs'
import { LEXICON } from './corpus/copying.mjs'
import { documents } from './corpus/mixture.mjs'

const VOCABULARY = 2048
const SPECIALS = ['<unk>', '<s>', '</s>']
const MAX_TOKEN_BYTES = 24
/** How often a row of the hand-written data counts beside the documents. */
const WEIGHT_OF_ROWS = 12

/** Names and things of the Chinese texts are cut out of the run of characters around them, so that each becomes a token. */
const CHINESE_WORDS = new RegExp(`(${[...LEXICON.zh].sort((a, b) => b.length - a.length).join('|')})`, 'u')

/**
 * @param {Map<string, number>} counts of pretokens, added to @param {string} text @param {number} weight
 */
const count = (counts, text, weight) => {
  for (const word of pretokens(text)) {
    for (const piece of word.split(CHINESE_WORDS)) {
      if (piece !== '') counts.set(piece, (counts.get(piece) ?? 0) + weight)
    }
  }
}

/**
 * @param {ReadonlyMap<string, number>} counts
 * @returns {object} the content of `tokenizer.json` (Hugging Face tokenizers)
 */
export const tokenizerFrom = (counts) => {
  const merges = learnMerges(counts, {
    merges: VOCABULARY - SPECIALS.length - BYTE_CHARACTERS.length,
    maxBytes: MAX_TOKEN_BYTES,
  })
  const bytes = [...BYTE_CHARACTERS].sort()
  const tokens = [...SPECIALS, ...bytes, ...merges.map(([left, right]) => left + right)]
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true }
  const post = (/** @type {'A' | 'B'} */ id, /** @type {number} */ type) => ({
    Sequence: { id, type_id: type },
  })
  const bos = (/** @type {number} */ type) => ({ SpecialToken: { id: '<s>', type_id: type } })
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: SPECIALS.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [{ type: 'Digits', individual_digits: true }, byteLevel],
    },
    post_processor: {
      type: 'TemplateProcessing',
      single: [bos(0), post('A', 0)],
      pair: [bos(0), post('A', 0), bos(1), post('B', 1)],
      special_tokens: { '<s>': { id: '<s>', ids: [SPECIALS.indexOf('<s>')], tokens: ['<s>'] } },
    },
    decoder: byteLevel,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
    },
  }
}

/**
 * Counts the text that the tokenizer is trained on: documents of the generator and the hand-written rows.
 * @param {{ seed: number, count: number, rows: readonly Record<string, string>[] }} options
 */
export const countTrainingText = ({ seed, count: total, rows }) => {
  /** @type {Map<string, number>} */
  const counts = new Map()
  const next = documents({ seed })
  for (let i = 0; i < total; i++) count(counts, next(i / total).text, 1)
  for (const row of rows) for (const text of Object.values(row)) count(counts, text, WEIGHT_OF_ROWS)
  return counts
}

const TOKENIZER_CONFIG = {
  tokenizer_class: 'PreTrainedTokenizerFast',
  bos_token: '<s>',
  eos_token: '</s>',
  unk_token: '<unk>',
  add_bos_token: true,
  add_eos_token: false,
  clean_up_tokenization_spaces: false,
  model_max_length: 512,
}

const main = () => {
  const model = new URL('../../examples/quickstart/model/', import.meta.url)
  const data = new URL('../../examples/quickstart/data/bilingual.jsonl', import.meta.url)
  const { values } = parseArgs({
    options: {
      out: { type: 'string', default: fileURLToPath(model) },
      documents: { type: 'string', default: '60000' },
      seed: { type: 'string', default: '7' },
    },
  })
  const [count, seed] = [Number(values.documents), Number(values.seed)]
  if (!Number.isSafeInteger(count) || count < 1 || !Number.isSafeInteger(seed)) {
    console.error(
      'usage: node scripts/tiny-model/train-tokenizer.mjs [--out FOLDER] [--documents N] [--seed N]',
    )
    process.exitCode = 2
    return
  }
  const rows = readFileSync(data, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => /** @type {Record<string, string>} */ (JSON.parse(line)))
  const tokenizer = tokenizerFrom(countTrainingText({ seed, count, rows }))
  mkdirSync(values.out, { recursive: true })
  writeFileSync(join(values.out, 'tokenizer.json'), `${JSON.stringify(tokenizer, null, 1)}\n`)
  writeFileSync(join(values.out, 'tokenizer_config.json'), `${JSON.stringify(TOKENIZER_CONFIG, null, 2)}\n`)
  console.log(`${values.out}: tokenizer.json, tokenizer_config.json`)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main()
