import type { FinishReason, Generation } from '@ift/core'

export interface Usage {
  readonly prompt_tokens: number
  readonly completion_tokens: number
  readonly total_tokens: number
  readonly prompt_tokens_details: { readonly cached_tokens: number }
}

/** Tokens that were generated, one that ended the answer included. */
export const generatedTokens = ({ ids, end }: Pick<Generation, 'ids' | 'end'>): number =>
  ids.length + (end ? 1 : 0)

/** Tokens of all answers to one prompt, which counts once; none were asked for where it `isEmpty`. */
export function usageOf(answers: readonly Generation[], isEmpty = false): Usage {
  const prompt = answers[0]?.promptTokens ?? 0
  const completion = isEmpty ? 0 : answers.reduce((sum, answer) => sum + generatedTokens(answer), 0)
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: { cached_tokens: answers[0]?.cachedTokens ?? 0 },
  }
}

/** Sums of prompts. */
export function addUsage(parts: readonly Usage[]): Usage {
  const sum = (of: (usage: Usage) => number) => parts.reduce((total, usage) => total + of(usage), 0)
  return {
    prompt_tokens: sum((usage) => usage.prompt_tokens),
    completion_tokens: sum((usage) => usage.completion_tokens),
    total_tokens: sum((usage) => usage.total_tokens),
    prompt_tokens_details: { cached_tokens: sum((usage) => usage.prompt_tokens_details.cached_tokens) },
  }
}

/** Why an answer ended, in OpenAI's words. */
export const finishReason = (finish: FinishReason): 'stop' | 'length' =>
  finish === 'length' ? 'length' : 'stop'

/** What stopped it: a text or an id of the request. */
export const stopReason = (
  { stopText, end }: Generation,
  stopIds: readonly number[],
): string | number | null => stopText ?? (end && stopIds.includes(end.id) ? end.id : null)
