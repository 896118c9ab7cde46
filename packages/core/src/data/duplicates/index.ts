export type { Cluster } from './clusters.js'
export { Evaluation } from './evaluation.js'
export type { ContaminationAction, Examination, Finding, Matrix } from './examination.js'
export { examine, type Examined } from './examine.js'
export { SharedTexts, type SharedText } from './shared-texts.js'
export {
  bandsFor,
  nearDefaults,
  overlapDefaults,
  type OverlapOptions,
  type RepeatOptions,
} from './options.js'
export { loadExamined, saveExamined } from './verdict-file.js'
