export { bleuCounts, bleuOf, sentenceBleu, type Bleu, type BleuCounts, type BleuOptions } from './bleu.js'
export { bleuTokens, type BleuTokenizer } from './bleu-tokens.js'
export { exactMatch, type ExactMatchOptions } from './exact-match.js'
export {
  chineseNumber,
  lastNumber,
  numbersIn,
  sameNumber,
  strictNumber,
  type FoundNumber,
} from './numbers.js'
export { extractByRegex, type RegexOptions } from './regex.js'
export { rouge, rougeTokens, type Overlap, type Rouge } from './rouge.js'
export { tokenF1 } from './token-f1.js'
