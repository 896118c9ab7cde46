import { Tokenizer as Library } from 'tokenizers'
import { expect, test } from 'vitest'
import { addon } from './load.js'
import { byteLevel, byteLevelJson, isolate, words } from './byte-level.js'
import { byteCharacters } from './decode.js'
import { addedToken, type ComponentJson, type TokenizerJson } from './tokenizer-json.js'

// The add-on beside Hugging Face's own binding: the same ids, offsets and words for every text.

const parts = [
  ...['a', 'B', 'the', "don't", "'S", "'ſ", ' ', '   ', '\t', '\n', '\r\n', '\u00a0', '\u3000', '0', '12345'],
  ...[
    '½',
    '٣',
    '.',
    '!?',
    '—',
    'é',
    'e\u0301',
    '中文',
    '🙂',
    '👩\u200d🚀',
    '\ud800',
    '<tool>',
    '<|end|>',
    '▁',
  ],
]
let state = 7
const next = (below: number) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  return (state >>> 8) % below
}
const texts = Array.from({ length: 2000 }, () =>
  Array.from({ length: next(14) }, () => parts[next(parts.length)]!).join(''),
)

/** Offsets of the library, in characters, as UTF-16 code units. */
function unitsOf(text: string, offsets: readonly (readonly number[])[]): number[] {
  const units = [0]
  for (const character of text) units.push(units.at(-1)! + character.length)
  return offsets.flatMap(([start, end]) => [units[start!]!, units[end!]!])
}

const alphabet = byteCharacters()
const merges = [
  ['t', 'h'],
  ['th', 'e'],
  ['Ã', '©'],
  ['ð', 'Ł'],
  ['ä', '¸'],
  ["'", 's'],
  ['Ġ', 'a'],
  ['Ġ', 'Ġ'],
] as const
const vocab = Object.fromEntries(
  [...alphabet, ...merges.map((pair) => pair.join(''))].map((piece, id) => [piece, id]),
)
const bytes = (preTokenizer: ComponentJson, normalizer: ComponentJson | null = null): TokenizerJson =>
  byteLevelJson({
    vocab,
    merges,
    preTokenizer,
    normalizer,
    added: [
      addedToken(300, '<tool>', { special: false, normalized: true, lstrip: true }),
      addedToken(301, '<|end|>'),
    ].map((token, i) => ({ ...token, id: Object.keys(vocab).length + i })),
  })
const sequence = (...pretokenizers: ComponentJson[]): ComponentJson => ({ type: 'Sequence', pretokenizers })
const pieces = ['<unk>', '▁', 'a', 'B', 't', 'h', 'e', '▁a', 'the', '中', '文', '🙂', '.', '0', '1']

const kinds: Readonly<Record<string, TokenizerJson>> = {
  'GPT-2': bytes(byteLevel(false, true)),
  'GPT-2 with a space in front': bytes(byteLevel(true, true)),
  SmolLM2: bytes(sequence({ type: 'Digits', individual_digits: true }, byteLevel(false, true))),
  'Llama 3': bytes(sequence(isolate(words('\\p{N}{1,3}')), byteLevel(false, false))),
  'Qwen 2': bytes(sequence(isolate(words('\\p{N}')), byteLevel(false, false)), { type: 'NFC' }),
  Unigram: {
    ...bytes(byteLevel(false, true)),
    added_tokens: [],
    normalizer: { type: 'NFKC' },
    pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true },
    model: { type: 'Unigram', unk_id: 0, vocab: pieces.map((piece, i) => [piece, -i] as const) },
  },
}

for (const [kind, json] of Object.entries(kinds))
  test(`${kind}: ids and offsets of the library`, async () => {
    const text = JSON.stringify(json)
    const library = Library.fromString(text)
    for (const withWords of [false, true]) {
      const found = await addon().NativeTokenizer.open(text, withWords).encodeBatch(texts)
      const tokens = found.subarray(0, texts.length).reduce((sum, length) => sum + length, 0)
      expect(found).toHaveLength(texts.length + (withWords ? 4 : 3) * tokens)
      const ids = found.subarray(texts.length)
      const offsets = ids.subarray(tokens)
      const wordIds = offsets.subarray(2 * tokens)
      let at = 0
      for (const [i, one] of texts.entries()) {
        const expected = await library.encode(one, null, { addSpecialTokens: false })
        const end = at + found[i]!
        expect([...ids.subarray(at, end)], JSON.stringify(one)).toEqual(expected.getIds())
        expect([...offsets.subarray(2 * at, 2 * end)], JSON.stringify(one)).toEqual(
          unitsOf(one, expected.getOffsets()),
        )
        if (withWords)
          expect([...wordIds.subarray(at, end)]).toEqual(expected.getWordIds().map((word) => word ?? -1))
        at = end
      }
    }
  })
