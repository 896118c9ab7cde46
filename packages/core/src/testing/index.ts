export {
  datasetConformance,
  datasetsOf,
  type ConformanceCase,
  type DatasetConformanceOptions,
} from './dataset.js'
export { wordTokenizer, type WordTokenizerOptions } from './tokenizer.js'
export { modelConformance, modelsOf, type ModelConformanceOptions } from './model.js'
export {
  tokenizerConformance,
  type GoldenEncoding,
  type TokenizerConformanceOptions,
} from './tokenizer-conformance.js'
