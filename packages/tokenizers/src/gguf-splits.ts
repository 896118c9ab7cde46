import { byteLevel, isolate, words } from './byte-level.js'
import type { ComponentJson } from './tokenizer-json.js'

/** How a byte-level tokenizer splits text. */
export interface Split {
  readonly preTokenizer: ComponentJson
  readonly normalizer?: ComponentJson
  /** A word that is a token needs no merges to become it. */
  readonly ignoreMerges?: boolean
  /** Whether bos stands before a text when the file does not say. */
  readonly addBos?: boolean
}

/** Every match of each pattern, in their order, is a word of its own; so is what lies between. */
const matches = (...patterns: string[]): ComponentJson => ({
  type: 'Sequence',
  pretokenizers: [...patterns.map(isolate), byteLevel(false, false)],
})

const contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
const lineEnds = '\\s*[\\r\\n]+'
const blanks = '\\s+(?!\\S)|\\s+'
const oneDigit = '\\p{N}'
const threeDigits = '\\p{N}{1,3}'
const lead = '[^\\r\\n\\p{L}\\p{N}]?'
/** How GPT-2 splits text. */
export const gpt2Words = `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|${blanks}`

const upper = '[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]'
const lower = '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]'
/** Words by their case, as o200k_base and Tekken have them; `end` may follow a word. */
const cased = (digits: string, end: string) =>
  `${lead}${upper}*${lower}+${end}|${lead}${upper}+${lower}*${end}|` +
  `${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|${lineEnds}|${blanks}`

// The ranges are those of DeepSeek's and Tencent's tokenizers, letter for letter.
const hanAndKana = '[一-龥぀-ゟ゠-ヿ]+'
const hanAndHangul = '[一-龥ࠀ-一가-퟿]+'
const casedLetters =
  '[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+'
const asciiOrFullWidthMarks = '[!-/:-~！-／：-～‘-‟　-。]+'
const markedWords =
  '[!"#$%&\'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+'
const notPunctuation = ' ?[^(\\s|.,!?…。，、।۔،)]+'

const gpt2: Split = { preTokenizer: byteLevel(false, true) }
const digitByDigit: Split = { preTokenizer: matches(oneDigit, gpt2Words) }
const threeDigitWords: Split = { preTokenizer: matches(words(threeDigits)) }
const llama3: Split = { ...threeDigitWords, ignoreMerges: true, addBos: true }
const glm4: Split = { ...threeDigitWords, ignoreMerges: true }
const digitWords: Split = { preTokenizer: matches(words(oneDigit)) }
const qwen2: Split = { ...digitWords, normalizer: { type: 'NFC' } }
const deepseek3: Split = {
  preTokenizer: matches(threeDigits, hanAndKana, `${markedWords}[\\r\\n]*|${lineEnds}|${blanks}`),
}
const bloom: Split = { preTokenizer: matches(notPunctuation) }
const bailing: Split = {
  preTokenizer: matches(
    `'(?i:[sdmt]|ll|ve|re)|${lead}\\p{L}+|${oneDigit}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]|${blanks}`,
  ),
}
const gpt4o: Split = { preTokenizer: matches(cased(threeDigits, `${contractions}?`)) }
const aya: Split = {
  preTokenizer: matches('\\d{1,3}(?=(?:\\d{3})*\\b)', cased(threeDigits, `${contractions}?`)),
}

/**
 * By `tokenizer.ggml.pre`. The names and what they stand for are those of llama.cpp (llama-vocab.cpp) for models that write
 * text byte by byte, but for the names of encoders; its patterns go around the lack of Unicode categories in C++, where those
 * of the tokenizer.json behind the name are followed. Qwen's normaliser is in no GGUF file and in all tokenizers of Qwen.
 */
export const splits: Readonly<Record<string, Split>> = {
  // Also for a file that does not say.
  default: {
    preTokenizer: matches('[\\p{P}\\$\\+<=>\\^~\\|]+', gpt2Words, '\\p{N}+', '[0-9][0-9][0-9]'),
  },
  falcon: { preTokenizer: matches('[\\p{P}\\$\\+<=>\\^~\\|`]+', gpt2Words, '[0-9][0-9][0-9]') },

  'gpt-2': gpt2,
  'phi-2': gpt2,
  'a.x-4.0': gpt2,
  exaone4: gpt2,
  gigachat: gpt2,
  'granite-docling': gpt2,
  jais: gpt2,
  mellum: gpt2,
  mpt: gpt2,
  olmo: gpt2,
  trillion: gpt2,

  smollm: digitByDigit,
  starcoder: digitByDigit,
  refact: digitByDigit,
  codeshell: digitByDigit,
  'command-r': digitByDigit,
  exaone: digitByDigit,
  mellum2: digitByDigit,
  'minerva-7b': digitByDigit,

  'llama-bpe': llama3,
  llama3,
  'llama-v3': llama3,
  falcon3: llama3,
  'falcon-h1': llama3,
  lfm2: llama3,
  'midm-2.0': llama3,
  pixtral: llama3,
  dbrx: threeDigitWords,
  'smaug-bpe': threeDigitWords,
  'chatglm-bpe': threeDigitWords,
  glm4,
  glm5: glm4,
  minicpm5: { preTokenizer: matches(threeDigits, words('\\p{N}+')), ignoreMerges: true },
  'jais-2': {
    preTokenizer: matches(
      words(threeDigits).replace(
        blanks,
        `${[512, 256, 128, 64, 32, 16, 8, 4].map((n) => `\\s{${n}}(?!\\S)|`).join('')}\\s{1,2}(?!\\S)|\\s{1}`,
      ),
    ),
  },

  qwen2,
  'deepseek-r1-qwen': qwen2,
  f2llmv2: qwen2,
  kormo: qwen2,
  megrez: qwen2,
  qwen35: {
    preTokenizer: matches(
      `${contractions}|${lead}[\\p{L}\\p{M}]+|${oneDigit}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|${lineEnds}|${blanks}`,
    ),
    normalizer: { type: 'NFC' },
  },
  'grok-2': digitWords,
  hunyuan: digitWords,
  'solar-open': digitWords,
  stablelm2: digitWords,
  laguna: { preTokenizer: matches('[^\\n]+|[\\n]+', words(oneDigit)) },
  ufakzeka: {
    preTokenizer: matches(`${lead}\\p{L}+|${oneDigit}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|${lineEnds}|${blanks}`),
  },
  'seed-coder': {
    preTokenizer: matches(
      `${contractions}|${lead}\\p{L}+|${oneDigit}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|${lineEnds}|${blanks}`,
    ),
  },
  bailingmoe: bailing,
  bailingmoe2: bailing,
  'llada-moe': bailing,
  'exaone-moe': {
    preTokenizer: matches(
      `${contractions}|${lead}(?:\\p{L}\\p{M}*(?: \\p{L}\\p{M}*)*)+|${oneDigit}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]?|\\s*[\\r\\n]|${blanks}`,
    ),
  },

  'deepseek-llm': {
    preTokenizer: matches(
      '[\\r\\n]',
      `\\s?${casedLetters}`,
      `\\s?${asciiOrFullWidthMarks}`,
      '\\s+$',
      hanAndHangul,
      '\\p{N}+',
    ),
  },
  'deepseek-coder': {
    preTokenizer: matches('[\\r\\n]', '\\s?\\p{L}+', '\\s?\\p{P}+', hanAndHangul, oneDigit),
  },
  'deepseek-v3': deepseek3,
  'hunyuan-dense': deepseek3,
  hy_v4: deepseek3,
  'joyai-llm': deepseek3,
  spark2_5: {
    preTokenizer: matches(threeDigits, hanAndKana, `${markedWords}|[\\r\\n]|${blanks}`, oneDigit),
  },
  youtu: {
    preTokenizer: matches(
      `[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|${hanAndKana}`,
      cased(oneDigit, `${contractions}?`),
    ),
    ignoreMerges: true,
  },

  tekken: { preTokenizer: matches(cased(oneDigit, '')), ignoreMerges: true, addBos: true },
  'gpt-4o': gpt4o,
  kanana2: gpt4o,
  llama4: gpt4o,
  'minimax-m2': gpt4o,
  talkie: gpt4o,
  tiny_aya: aya,
  cohere2moe: aya,

  bloom,
  'gpt3-finnish': bloom,
  'poro-chat': bloom,
  viking: { preTokenizer: matches(notPunctuation, oneDigit) },
  superbpe: { preTokenizer: matches('\\p{N}+', '(?=(\\d{3})+(?!\\d))') },
}
