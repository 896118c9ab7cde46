import type { Example, Likelihood, TaskGeneration, TaskLoss, TaskPrompt } from '@ift/core'

/** What answers, for results: whatever decides answers is in it, so that samples of another model are not taken for its own. */
export interface ModelFacts {
  /** As the config, or the server, names it. */
  readonly name: string
  /** Base URL of the server that answers; null for a model that is open here. */
  readonly endpoint: string | null
  /** sha256 of the contents of the weights' files; null where a server has them. */
  readonly weights: string | null
  /** The adapter by its folder or name, with the sha256 of its contents; null without one. */
  readonly adapter: { readonly name: string; readonly sha256: string | null } | null
  /** Name of the template of instructions, and a hash of what it writes. */
  readonly template: string | null
  readonly templateHash: string | null
  /** Hash of what decides the ids of a text. */
  readonly tokenizer: string | null
  readonly dtype: string | null
  readonly quantize: string | null
  /** Optimiser steps of the run that is under way; absent outside of training. */
  readonly step?: number
}

/** Likelihoods of the continuations of a prompt. */
export interface ScoredChoices {
  readonly likelihoods: readonly Likelihood[]
  /** Tokens of the prompt. */
  readonly promptTokens: number
  /** Tokens that the prompt lost at its beginning, to fit. */
  readonly cut: number
}

export interface ModelAnswer {
  /** As it was written, white space at its beginning included; without the text that ended it. */
  readonly text: string
  /** The model's own end, a text of `until`, or the last of the tokens that it may have. */
  readonly ended: 'end' | 'stop' | 'length'
  readonly tokens: number
  readonly promptTokens: number
  readonly cut: number
}

/** Whatever is evaluated. Any number of requests at a time; each may fail by itself. */
export interface EvalModel {
  readonly facts: ModelFacts
  /** Requests at a time that are worth making. */
  readonly concurrency: number
  /** Whether it knows how answers to instructions begin, so that their likelihood can be asked for. */
  readonly scoresInstructions: boolean
  /**
   * log p of each continuation behind the prompt, as lm-evaluation-harness takes it: blanks at the end of a text belong to the continuation, both
   * are encoded together and cut where the text alone ends, and what is too long loses its beginning. Behind an instruction the
   * continuation begins the answer.
   */
  likelihoods(
    prompt: TaskPrompt,
    continuations: readonly string[],
    signal?: AbortSignal,
  ): Promise<ScoredChoices>
  /** The likeliest token again and again. A text is continued as it is, and ends by no rule of a template. */
  answer(prompt: TaskPrompt, generation: TaskGeneration, signal?: AbortSignal): Promise<ModelAnswer>
  /** The loss of an example as training has it. IFT_EVAL_UNSUPPORTED where the model cannot tell. */
  loss(example: Example, signal?: AbortSignal): Promise<TaskLoss>
}
