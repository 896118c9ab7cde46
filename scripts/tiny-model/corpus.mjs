// @ts-check
// Writes the pre-training corpus:
//   node scripts/tiny-model/corpus.mjs --out FILE [--seed N] [--tokens N | --documents N] [--windows 192]
// One document a line, `{"text": …}`; with --windows, one window of token ids a line, `{"ids": […]}`.
import { once } from 'node:events'
import { createWriteStream, mkdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { Tokenizer } from 'tokenizers'
import { fromByteCharacters } from './bpe.mjs'
import { LEXICON } from './corpus/copying.mjs'
import { documents } from './corpus/mixture.mjs'

const TOKENIZER = new URL('../../examples/quickstart/model/tokenizer.json', import.meta.url)
const BOS = 1
const EOS = 2
const BATCH = 2000
/** Tokens of a document with `<s>` and `</s>`, on average, by which a number of tokens becomes one of documents. */
const TOKENS_PER_DOCUMENT = 45.9

/** Words that could make `again` say a result. */
const STATES_A_RESULT = /^(is|It|answer|plus|minus|times)$|是|答案|等于|为|加|减|乘/

/**
 * @param {Record<string, number>} vocabulary of `tokenizer.json`
 * @returns {import('./corpus/copying.mjs').Words} its tokens that are words: English with the space before them, Chinese
 */
export const wordsOf = (vocabulary) => {
  const tokens = Object.keys(vocabulary).map(fromByteCharacters)
  const usable = (/** @type {string} */ word) => !STATES_A_RESULT.test(word)
  return {
    en: tokens
      .filter((token) => /^ [A-Za-z]+$/.test(token))
      .map((token) => token.slice(1))
      .filter(usable),
    zh: tokens.filter((token) => /^\p{Script=Han}+$/u.test(token)).filter(usable),
  }
}

/** @returns {import('./corpus/copying.mjs').Words} of the committed tokenizer, names and things included */
export const tokenizerWords = () => {
  const { model } = /** @type {{ model: { vocab: Record<string, number> } }} */ (
    JSON.parse(readFileSync(TOKENIZER, 'utf8'))
  )
  const { en, zh } = wordsOf(model.vocab)
  return { en: [...new Set([...LEXICON.en, ...en])], zh: [...new Set([...LEXICON.zh, ...zh])] }
}

/**
 * @param {{ seed: number, count: number }} options
 * @returns {Generator<string[]>} the documents of a run, in batches
 */
export function* batches({ seed, count }) {
  const next = documents({ seed, words: tokenizerWords() })
  for (let start = 0; start < count; start += BATCH) {
    const size = Math.min(BATCH, count - start)
    yield Array.from({ length: size }, (_, i) => next((start + i) / count).text)
  }
}

/**
 * `<s>` text `</s>` of every document, laid end to end and cut; what is left of the last window is dropped.
 * @param {Iterable<string[]>} texts @param {number} length
 * @returns {AsyncGenerator<number[]>} windows of that many ids
 */
export async function* windows(texts, length) {
  const tokenizer = Tokenizer.fromFile(fileURLToPath(TOKENIZER))
  /** @type {number[]} */
  let ids = []
  for (const batch of texts) {
    const encodings = await tokenizer.encodeBatch(batch, { addSpecialTokens: false })
    for (const encoding of encodings) ids.push(BOS, ...encoding.getIds(), EOS)
    let start = 0
    for (; start + length <= ids.length; start += length) yield ids.slice(start, start + length)
    ids = ids.slice(start)
  }
}

/** @param {Iterable<string[]>} texts @returns {AsyncGenerator<object>} */
async function* textLines(texts) {
  for (const batch of texts) yield* batch.map((text) => ({ text }))
}

/** @param {Iterable<string[]>} texts @param {number} length @returns {AsyncGenerator<object>} */
async function* windowLines(texts, length) {
  for await (const ids of windows(texts, length)) yield { ids }
}

const USAGE =
  'usage: node scripts/tiny-model/corpus.mjs --out FILE [--seed N] [--tokens N | --documents N] [--windows LENGTH]'

const main = async () => {
  const { values } = parseArgs({
    options: {
      out: { type: 'string' },
      seed: { type: 'string', default: '0' },
      tokens: { type: 'string', default: '25000000' },
      documents: { type: 'string' },
      windows: { type: 'string' },
    },
  })
  const seed = Number(values.seed)
  const count = values.documents
    ? Number(values.documents)
    : Math.ceil(Number(values.tokens) / TOKENS_PER_DOCUMENT)
  const length = values.windows === undefined ? undefined : Number(values.windows)
  const wanted = [seed, count, length ?? 2]
  if (!values.out || !wanted.every(Number.isSafeInteger) || count < 1 || (length ?? 2) < 2) {
    console.error(USAGE)
    process.exitCode = 2
    return
  }
  mkdirSync(dirname(values.out), { recursive: true })
  const file = createWriteStream(values.out)
  const texts = batches({ seed, count })
  let lines = 0
  for await (const line of length === undefined ? textLines(texts) : windowLines(texts, length)) {
    lines++
    if (!file.write(`${JSON.stringify(line)}\n`)) await once(file, 'drain')
  }
  file.end()
  await once(file, 'finish')
  const what =
    length === undefined
      ? `${lines} documents`
      : `${lines} windows of ${length} ids, ${lines * length} tokens`
  console.log(`${values.out}: ${what} from ${count} documents (seed ${seed})`)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main()
