import { randomInt } from 'node:crypto'
import type { GenerateOptions, OpenModel } from '@ift/core'
import type { Serving } from './serving.js'
import { invalid } from './wire/errors.js'
import type { Sampling } from './schema/sampling.js'

/** What generation_config.json says of sampling; wrong values count as none. */
function published({ generationConfig = {} }: OpenModel) {
  const number = (key: string): number | undefined => {
    const value = generationConfig[key]
    return typeof value === 'number' && Number.isFinite(value) ? value : undefined
  }
  return {
    greedy: generationConfig['do_sample'] === false,
    ...{ temperature: number('temperature'), topP: number('top_p'), topK: number('top_k') },
    repetitionPenalty: number('repetition_penalty'),
    minP: number('min_p'),
  }
}

/** Biases by id; 400 for an id that the model has not. */
function biasOf(bias: Sampling['logit_bias'] = {}, vocabSize: number): Readonly<Record<number, number>> {
  const unknown = Object.keys(bias).find((id) => Number(id) >= vocabSize)
  if (unknown !== undefined)
    throw invalid('logit_bias', `logit_bias: expected ids below ${vocabSize}, found ${unknown}.`)
  return bias
}

/**
 * Settings of a request, in the order of the request, generation_config.json, and what OpenAI has (temperature 1, top_p 1). Without
 * `max_tokens` an answer takes what is left of the context.
 */
export function settingsOf(
  { open, generator, options }: Serving,
  asked: Sampling,
  {
    promptTokens,
    maxTokens = asked.max_tokens,
  }: { readonly promptTokens: number; readonly maxTokens: number | undefined },
): GenerateOptions {
  const own = published(open)
  const temperature = asked.temperature ?? (own.greedy ? 0 : (own.temperature ?? 1))
  const { most, size } = generator.load.pages
  const room = Math.min(open.shape.maxPositions ?? Infinity, (most - 4) * size) - promptTokens
  const maxNewTokens = Math.max(1, Math.min(maxTokens ?? room, options.maxTokens ?? Infinity))
  const topK = asked.top_k ?? own.topK ?? 0
  return {
    maxNewTokens: Number.isFinite(maxNewTokens) ? maxNewTokens : 4096,
    doSample: temperature > 0,
    ...(temperature > 0 && { temperature }),
    topP: asked.top_p ?? own.topP ?? 1,
    topK: Math.max(0, topK),
    repetitionPenalty: asked.repetition_penalty ?? own.repetitionPenalty ?? 1,
    noRepeatNgramSize: asked.no_repeat_ngram_size ?? 0,
    minNewTokens: asked.min_tokens ?? 0,
    minP: asked.min_p ?? own.minP ?? 0,
    presencePenalty: asked.presence_penalty ?? 0,
    frequencyPenalty: asked.frequency_penalty ?? 0,
    logitBias: biasOf(asked.logit_bias, open.tokenizer.vocabSize),
    stopIds: asked.stop_token_ids ?? [],
    ignoreEnds: asked.ignore_eos ?? false,
    stop: asked.stop === undefined ? [] : [asked.stop].flat().filter((text) => text !== ''),
    seed: asked.seed ?? randomInt(2 ** 32),
  }
}
