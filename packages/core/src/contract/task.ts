import type { z } from 'zod'
import type { Example, InstructionExample, MessagesExample } from './data.js'

/** What the model is asked: a text that it continues, or an instruction or conversation under the template that it was trained with. */
export type TaskPrompt = string | Omit<InstructionExample, 'output'> | MessagesExample

/** A record of a task's files, as it was read, with the place that it was read from. */
export interface TaskRecord {
  readonly record: Readonly<Record<string, unknown>>
  /** `file:line` or `file#row`. */
  readonly where: string
  /** Name of the file without folder and endings: `high_school_physics_test`. */
  readonly file: string
}

/** Where the files of a task lie in a folder that the user names. Patterns as in `data`; the first of a list that is there counts. */
export interface TaskFiles {
  /** What is evaluated on. */
  readonly items: readonly string[]
  /** Examples that are shown before the question. */
  readonly shots?: readonly string[]
  /** Column names, for files of rows without a line of them. */
  readonly header?: readonly string[]
}

/** What a task was asked with. */
export interface TaskContext<O = unknown> {
  readonly options: O
}

/** How an answer ends, besides at the model's own end. */
export interface TaskGeneration {
  /** Texts that end it; what is behind the first of them is cut off. */
  readonly until: readonly string[]
  readonly maxNewTokens: number
}

/** What the model thinks of a continuation, behind the prompt. */
export interface Likelihood {
  /** log p in nats, summed over the tokens of the continuation. */
  readonly logprob: number
  readonly tokens: number
}

/** Loss of an example: the sum over the tokens that training would learn, in nats. */
export interface TaskLoss {
  readonly sum: number
  readonly tokens: number
}

/** What came of one item, as far as the task asked for it. */
export interface TaskOutcome {
  /** Of `choices`, in their order. */
  readonly likelihoods: readonly Likelihood[]
  /** The text of the answer; '' where none was asked for. */
  readonly answer: string
  /** What `extract` found in it; null for nothing. */
  readonly extracted: string | null
  /** Whether it ended by itself, or at a text of `until`, before the tokens ran out. */
  readonly ended: boolean
  readonly loss: TaskLoss | null
  /** Scores of the judge, one for each prompt; null for one that cannot be read. Empty where no judge was asked. */
  readonly judged: readonly (number | null)[]
  /** The answer of the run that this one is compared with. */
  readonly other: string | null
}

/** How the scores of items become the number of a task. */
export interface TaskMetric {
  readonly description: string
  /**
   * `share`: each item has 0 or 1, interval of Wilson. `mean`: any number, interval of Student's t. `corpus`: sums of the items' lists go
   * through `of`, interval by bootstrap.
   */
  readonly kind: 'share' | 'mean' | 'corpus'
  readonly of?: (sums: readonly number[]) => number
  readonly lowerIsBetter?: true
}

/** Score of an item: a number, a list for a `corpus`, or null where the item does not count for the metric. */
export type TaskScore = number | null | readonly number[]

/** Questions to a judge about an answer. */
export interface TaskJudge<D, O> {
  /** One text for each question. In a dry run the answers are ''. */
  readonly prompts: (
    document: D,
    answers: { readonly answer: string; readonly other: string | null },
    context: TaskContext<O>,
  ) => readonly string[]
  /** Reads the judge's reply, which may say anything: a score, or null. */
  readonly parse: (reply: string) => number | null
  /** What a judge is told whose reply has no score, once. */
  readonly again: string
}

/**
 * What a model is evaluated on: how records become documents and prompts, what is asked of the model, and how answers are scored. All of it is
 * pure: the same record gives the same prompt and score. A document (D) is what the task makes of a record, plain JSON.
 */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export interface TaskDefinition<D = any, O = any> {
  readonly name: string
  /** Changes whenever a prompt or a score does: results of different versions are not compared. */
  readonly version: string
  readonly description: string
  /** Where the data is published: a URL or a citation; '' for data of the user. */
  readonly source: string
  /** SPDX identifier or name of the licence of the data; '' for data of the user. */
  readonly licence: string
  /** What a user may set (zod), each with a default. */
  readonly options?: z.ZodType<O>
  readonly files?: TaskFiles
  /** What is measured, by name. */
  readonly metrics: Readonly<Record<string, TaskMetric>>
  /** The metric that stands for the task: the one that a best checkpoint is chosen by. */
  readonly main: string
  /** Examples before the question, unless the user says otherwise. */
  readonly shots: number
  /** How a text is given to the model where the user does not say: continued as it is, or as an instruction under its template. */
  readonly prompt: 'text' | 'instruction'
  /** The documents of a record, or the reason why it gives none, which is counted. Never throws. */
  read(record: TaskRecord, context: TaskContext<O>): readonly D[] | string
  /** What is asked. Shots stand before a text, and so does `preamble`. */
  render(document: D, context: TaskContext<O>): TaskPrompt
  /** A document with its answer, as it is shown before the question of another; an empty line follows. */
  shown?(document: D, context: TaskContext<O>): string
  /** What a text begins with, before the shots. */
  preamble?(document: D, context: TaskContext<O>): string
  /** Continuations whose likelihood is asked for, with the blank that they begin with. */
  choices?(document: D, context: TaskContext<O>): readonly string[]
  /** An answer is asked for. */
  readonly generate?: TaskGeneration
  /** The loss of this example is asked for, as training has it. */
  loss?(document: D, context: TaskContext<O>): Example
  /** What of an answer counts; null for nothing. */
  extract?(answer: string, document: D, context: TaskContext<O>): string | null
  readonly judge?: TaskJudge<D, O>
  /** Whether answers are compared with those of another run. */
  readonly compares?: true
  score(document: D, outcome: TaskOutcome, context: TaskContext<O>): Readonly<Record<string, TaskScore>>
  /** The subject or class of a document, for means of their own. */
  group?(document: D, context: TaskContext<O>): string | null
  /** What several items share, such as a table that all of them ask about: their scores are no independent draws. */
  cluster?(document: D, context: TaskContext<O>): string | null
}
