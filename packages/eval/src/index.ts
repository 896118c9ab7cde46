import { definePlugin, defineTask, defineVerb } from '@ift/core'
import { ablateVerb } from './ablate/verb.js'
import { openTasks } from './during-training.js'
import { tasks } from './tasks/index.js'
import { evalVerb } from './verb.js'

export { ablate, type Ablation, type AblationProgress, type AblationRequest } from './ablate/ablate.js'
export type { AblationReport } from './ablate/report.js'
export { compareRuns, samplesOf, type Comparison, type MetricDifference } from './compare.js'
export {
  evaluate,
  evaluateTask,
  prepareTask,
  type EvaluateOptions,
  type PreparedTask,
  type TaskEvaluation,
  type TaskRequest,
} from './evaluate.js'
export {
  JudgeClient,
  keyFor,
  pairPrompt,
  pairResult,
  parseScore,
  parseVerdict,
  ReplyCache,
  type ChatMessage,
  type ChatReply,
  type JudgeOptions,
  type Pair,
  type PairResult,
} from './judge/index.js'
export { mostJudgedCharacters, type Judge, type JudgeMessage, type JudgeReply } from './judging.js'
export * from './metrics/index.js'
export { EndpointModel, type EndpointOptions } from './model/endpoint.js'
export { LocalModel, type LocalModelOptions } from './model/local.js'
export type { EvalModel, ModelAnswer, ModelFacts, ScoredChoices } from './model/model.js'
export type {
  ContaminationResult,
  EvalResults,
  EvalSample,
  JudgeFacts,
  Judgement,
  MacroResult,
  MetricResult,
} from './results.js'
export { readSamples } from './samples-file.js'
export * from './statistics/index.js'

export const plugin = definePlugin('eval', (host) => {
  host.use(defineVerb(ablateVerb))
  host.use(defineVerb(evalVerb))
  for (const task of tasks) host.use(defineTask(task))
  host.hooks.tasks.tapPromise('eval', openTasks)
})
