import { IftError } from '@ift/tensor'
import {
  addBias,
  addPenalties,
  applyTemperature,
  forbidRepeatedNgrams,
  keepMinP,
  keepTopK,
  keepTopP,
  penalizeRepetition,
} from './processors.js'
import type { GenerateOptions, LogitsContext } from '../contract/generate.js'

/** Options with every default. */
export interface DecodeSettings extends Required<
  Omit<GenerateOptions, 'adapter' | 'logprobs' | 'promptLogprobs' | 'constraint'>
> {
  /** Null where none are asked for. */
  readonly logprobs: number | null
  readonly promptLogprobs: number | null
}

const defaults: Omit<DecodeSettings, 'maxNewTokens'> = {
  minNewTokens: 0,
  doSample: false,
  temperature: 1,
  topK: 0,
  topP: 1,
  numBeams: 1,
  lengthPenalty: 1,
  earlyStopping: false,
  noRepeatNgramSize: 0,
  repetitionPenalty: 1,
  minP: 0,
  presencePenalty: 0,
  frequencyPenalty: 0,
  logitBias: {},
  stopIds: [],
  ignoreEnds: false,
  stop: [],
  seed: 0,
  logprobs: null,
  promptLogprobs: null,
}

/** Likeliest tokens in the place of each at most. */
const mostLogProbs = 100

/** Fills in defaults; IFT_GENERATE_OPTION for a value that means nothing. */
export function decodeSettings({ adapter: _, constraint, ...options }: GenerateOptions): DecodeSettings {
  const settings: DecodeSettings = { ...defaults, ...options }
  const require = (ok: boolean, name: keyof DecodeSettings, expected: string) => {
    if (!ok)
      throw new IftError(
        'IFT_GENERATE_OPTION',
        `generate.${name} must be ${expected}, found ${typeof settings[name] === 'object' ? JSON.stringify(settings[name]) : String(settings[name])}.`,
      )
  }
  require(Number.isInteger(settings.maxNewTokens) &&
    settings.maxNewTokens > 0, 'maxNewTokens', 'a whole number above 0')
  require(settings.temperature > 0, 'temperature', 'above 0 (for the likeliest token set doSample: false)')
  require(settings.topP > 0 && settings.topP <= 1, 'topP', 'above 0 and at most 1')
  require(Number.isInteger(settings.topK) && settings.topK >= 0, 'topK', 'a whole number, 0 for off')
  require(Number.isInteger(settings.numBeams) && settings.numBeams > 0, 'numBeams', 'a whole number above 0')
  require(settings.repetitionPenalty > 0, 'repetitionPenalty', 'above 0')
  require(settings.minP >= 0 && settings.minP <= 1, 'minP', 'from 0 to 1')
  for (const name of ['presencePenalty', 'frequencyPenalty'] as const)
    require(Number.isFinite(settings[name]), name, 'a number')
  require(Object.values(settings.logitBias).every((bias) =>
    Number.isFinite(bias),
  ), 'logitBias', 'a number for each id')
  const { numBeams } = settings
  for (const name of ['logprobs', 'promptLogprobs'] as const) {
    const asked = settings[name]
    require(asked === null ||
      (Number.isInteger(asked) &&
        asked >= 0 &&
        asked <= mostLogProbs), name, `a whole number from 0 to ${mostLogProbs}`)
    require(asked === null || numBeams === 1, name, 'left out with numBeams above 1')
  }
  require(constraint === undefined || numBeams === 1, 'numBeams', '1 with a constraint')
  return settings
}

/** The `logits` hook, which may change scores. */
export type LogitsTap = (scores: Float32Array, context: LogitsContext) => void

/**
 * Runs the processors in Hugging Face's order: repetition, n-grams, end token held back, then, when sampling, temperature,
 * top-k, top-p, min-p. What OpenAI adds to scores comes behind the repetition.
 */
export function processScores(
  scores: Float32Array,
  context: LogitsContext,
  settings: DecodeSettings,
  ends: ReadonlySet<number>,
  tap: LogitsTap | null,
): void {
  const { ids, promptTokens } = context
  if (settings.repetitionPenalty !== 1) penalizeRepetition(scores, ids, settings.repetitionPenalty)
  addPenalties(scores, ids.slice(promptTokens), settings)
  addBias(scores, settings.logitBias)
  if (settings.noRepeatNgramSize > 0) forbidRepeatedNgrams(scores, ids, settings.noRepeatNgramSize)
  if (ids.length - promptTokens < settings.minNewTokens) for (const id of ends) scores[id] = -Infinity
  if (settings.doSample) {
    if (settings.temperature !== 1) applyTemperature(scores, settings.temperature)
    if (settings.topK > 0) keepTopK(scores, settings.topK)
    if (settings.topP < 1) keepTopP(scores, settings.topP)
    if (settings.minP > 0) keepMinP(scores, settings.minP)
  }
  tap?.(scores, context)
}
