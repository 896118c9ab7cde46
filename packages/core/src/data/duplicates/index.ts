export { Evaluation } from './evaluation.js'
export {
  examine,
  type ContaminationAction,
  type Examination,
  type ExaminedSet,
  type ExamineOptions,
  type Finding,
  type Matrix,
} from './examine.js'
export {
  bandsFor,
  nearDefaults,
  overlapDefaults,
  type OverlapOptions,
  type RepeatOptions,
} from './options.js'
export type { Cluster } from './clusters.js'
export { loadExamined, saveExamined, type Examined } from './verdict-file.js'
