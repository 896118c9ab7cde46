export { collectionConformance } from './collection.js'
export {
  datasetConformance,
  datasetsOf,
  type ConformanceCase,
  type DatasetConformanceOptions,
} from './dataset.js'
export { inputBehind, logitsOf, lossAndGradients, packedInput, type Ids } from './forward.js'
export { compileTemplate } from '../data/template/jinja/index.js'
export { engineOver, greedyIds } from './answers.js'
export { optimizerConformance, optimizersOf, type OptimizerConformanceOptions } from './optimizer.js'
export { taskConformance, tasksOf, type TaskConformanceOptions } from './task.js'
export { TrainingSteps, type TrainingStepsOptions } from './training-steps.js'
export { manifestConformance } from './manifest.js'
export { wordTokenizer, type WordTokenizerOptions } from './tokenizer.js'
export { modelConformance, modelsOf } from './model.js'
export { goldenErrors, type GoldenErrors } from './model-golden.js'
export type { ModelConformanceOptions } from './model-bench.js'
export {
  tokenizerConformance,
  type GoldenEncoding,
  type TokenizerConformanceOptions,
} from './tokenizer-conformance.js'
export { Decoder } from '../generate/decoder.js'
export { peftConformance, peftsOf } from './peft.js'
export type { PeftBase, PeftConformanceOptions, PeftModel } from './peft-bench.js'
export { peftTrial, type PeftTrial, type PeftTrialOptions } from './peft-trial.js'
export { peftMechanism, type PeftMechanism } from './peft-mechanism.js'
