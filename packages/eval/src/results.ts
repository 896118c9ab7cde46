import type { Likelihood, TaskLoss, TaskScore } from '@ift/core'
import type { Comparison } from './compare.js'
import type { ModelFacts } from './model/model.js'
import type { Estimate } from './statistics/index.js'

/** A metric over items. `mean` is its number, with a 95 % confidence interval. */
export interface MetricResult extends Omit<Estimate, 'mean'> {
  /** Null where no item counts. */
  readonly mean: number | null
  /** Items without a score for it: refused prompts, replies of a judge that have none, items that it is not for. */
  readonly unscored: number
  readonly description: string
  readonly lowerIsBetter: boolean
}

/** Mean of the means of groups, each counting the same. */
export type MacroResult = Pick<MetricResult, 'mean' | 'se' | 'low' | 'high' | 'n'> & {
  readonly groups: number
}

/** Who judged, and what it cost. */
export interface JudgeFacts {
  readonly model: string
  readonly url: string
  /** When the first of the replies was asked for, also in an earlier run. */
  readonly date: string
  /** All replies, those among them that cost nothing in this call, and those that were asked for once more. */
  readonly replies: number
  readonly cached: number
  readonly repeats: number
  readonly promptTokens: number
  readonly replyTokens: number
  /** Share of items without a score of the judge. */
  readonly unscored: number
  /** Checks of the judge itself, by name. */
  readonly checks: Readonly<Record<string, number | null>>
}

/** Which items the training data hold. */
export interface ContaminationResult {
  /** Words in a row that make an item one of the training data, and characters of a script without spaces. */
  readonly words: number
  readonly characters: number
  /** Rows of training data that were looked through. */
  readonly rows: number
  readonly share: number
  readonly items: readonly {
    readonly id: string
    readonly kind: 'equal' | 'overlap'
    readonly where: string
    /** What both have in common, the first 200 characters. */
    readonly text: string
  }[]
}

/** `results.json`: what came of a task. */
export interface EvalResults {
  /** Of this layout. */
  readonly format: 1
  readonly task: {
    readonly name: string
    readonly version: string
    readonly description: string
    readonly source: string
    readonly licence: string
    /** The metric that stands for the task. */
    readonly main: string
    readonly options: unknown
    /** How texts were given to the model. */
    readonly prompt: 'text' | 'instruction'
    readonly shots: number
  }
  readonly ift: string
  /** ISO 8601. */
  readonly finished: string
  /** Seconds of this call; samples of earlier ones cost nothing. */
  readonly seconds: number
  readonly model: ModelFacts
  readonly data: {
    /** As they were named. */
    readonly files: readonly string[]
    readonly shotFiles: readonly string[]
    /** Of the contents of all of them. */
    readonly sha256: string
    /** Items of the files, and those that were asked: fewer under `limit`, evenly spread. */
    readonly items: number
    readonly asked: number
    readonly limit: number | null
    /** Records that gave no item, by reason. */
    readonly dropped: Readonly<Record<string, number>>
  }
  readonly metrics: Readonly<Record<string, MetricResult>>
  /** The same by group, where the task has groups. */
  readonly groups: Readonly<Record<string, Readonly<Record<string, MetricResult>>>>
  /** Empty without groups. */
  readonly macro: Readonly<Record<string, MacroResult>>
  /** Null where no answers were asked for. */
  readonly answers: {
    readonly count: number
    /** Those that ended by themselves, and their share. */
    readonly ended: number
    readonly share: number
    readonly tokens: number
  } | null
  /** Prompts that could not be asked, and those that lost their beginning. */
  readonly refused: number
  readonly cut: number
  /** Samples that an earlier call had left. */
  readonly resumed: number
  readonly judge: JudgeFacts | null
  /** The run that this one was compared with; without differences where the task itself compares answers. */
  readonly against: Comparison | Pick<Comparison, 'path'> | null
  readonly contamination: ContaminationResult | null
}

/** What a judge said to one question about an answer, and what it cost. */
export interface Judgement {
  readonly score: number | null
  /** The last reply. */
  readonly reply: string
  /** Replies: two where the first had no score. */
  readonly replies: number
  readonly promptTokens: number
  readonly replyTokens: number
  /** When the first was asked for, ISO 8601. */
  readonly date: string
}

/** A line of `samples.jsonl`: one item, what was asked and what came of it. */
export interface EvalSample {
  /** File and line within the data: the same item in every run. */
  readonly id: string
  /** sha256 of all that decides the sample but the judge: another key is another question. */
  readonly key: string
  readonly group: string | null
  readonly cluster: string | null
  /** What was asked, without shots; the first 4,000 characters. */
  readonly question: string
  /** sha256 of the whole prompt. */
  readonly prompt: string
  readonly promptTokens: number
  readonly likelihoods?: readonly Likelihood[]
  readonly answer?: string
  readonly extracted?: string | null
  readonly ended?: 'end' | 'stop' | 'length'
  readonly tokens?: number
  /** Tokens that the prompt lost at its beginning. */
  readonly cut?: number
  readonly loss?: TaskLoss
  readonly judged?: readonly Judgement[]
  /** Hash of judge, prompt and rules, where there was a judge. */
  readonly judgeKey?: string
  /** Of the run that it was compared with. */
  readonly other?: string
  readonly scores: Readonly<Record<string, TaskScore>>
  /** Why the prompt could not be asked. */
  readonly error?: { readonly code: string; readonly message: string }
}
