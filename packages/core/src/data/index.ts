export {
  buildSampleStore,
  hashFiles,
  locateExamples,
  readExamples,
  type BuildOptions,
  type LocatedExample,
  type SourceOptions,
} from './build.js'
export {
  messageText,
  promptMessages,
  toLastAnswer,
  toMessages,
  toRounds,
  type Conversation,
} from './conversation.js'
export { compositeNames, expandComposite } from './composites.js'
export { convertData, convertTargets, type ConvertTarget } from './convert.js'
export type { Cluster, Examination, Finding, Matrix } from './duplicates/index.js'
export {
  encodeExample,
  encodeExamples,
  encodePrompt,
  ignoredLabel,
  type DropReason,
  type Encoded,
  type EncodeOptions,
  type Truncation,
} from './encode.js'
export { ExactNumber, exactJson, isExactNumber, parseExactJson, plainJson } from './exact-json.js'
export { formatNames, recordConverter, type FormatName, type FormatOptions } from './format/index.js'
export {
  createPacker,
  Packer,
  packSamples,
  type PackCursor,
  type PackedStep,
  type PackerOptions,
} from './pack.js'
export { DataRandom } from './random.js'
export {
  dataFiles,
  decodeUtf8,
  diskFiles,
  readCsv,
  readLines,
  readRecords,
  type RawRecord,
  type ReadOptions,
  type Split,
} from './read/index.js'
export {
  select,
  selectDatasets,
  type SelectableDataset,
  type Selection,
  type SelectOptions,
} from './selection/index.js'
export {
  DataStats,
  distribution,
  tokenStats,
  type DataReport,
  type Distribution,
  type TokenReport,
} from './stats.js'
export {
  cacheSize,
  SampleStore,
  SampleStoreBuilder,
  type BuilderOptions,
  type SampleSource,
  type StoreCounts,
} from './store/index.js'
export { builtinTemplates, createChatTemplate, sourcesOf, type TemplateProgram } from './template/index.js'
export { answerOf, exclude, learn, said, special, turnTemplate, type TurnWriter } from './template/turns.js'
export { callsOf, functionsOf, writtenCalls, type ToolCall } from './tool-calls.js'
export { withoutAnswer } from './unanswered.js'
export { validateData, type DataProblem, type ValidationReport } from './validate.js'
