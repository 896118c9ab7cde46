import type { AdapterChoice } from './adapters.js'

/**
 * Settings of a decoder; names, defaults and meaning are those of Hugging Face `generate`, where
 * `maxNewTokens` is required and everything else is off.
 */
export interface GenerateOptions {
  readonly maxNewTokens: number
  readonly minNewTokens?: number
  /** Sample instead of taking the likeliest token. */
  readonly doSample?: boolean
  readonly temperature?: number
  readonly topK?: number
  readonly topP?: number
  readonly numBeams?: number
  readonly lengthPenalty?: number
  readonly earlyStopping?: boolean
  readonly noRepeatNgramSize?: number
  readonly repetitionPenalty?: number
  /** Leave out, when sampling, tokens less likely than this share of the likeliest one (Nguyen et al. 2024, arXiv:2407.01082). */
  readonly minP?: number
  /** Taken from the score of every token that was generated so far (OpenAI's; the prompt does not count). */
  readonly presencePenalty?: number
  /** The same, as many times as the token was generated. */
  readonly frequencyPenalty?: number
  /** Added to the scores of tokens, by their ids. */
  readonly logitBias?: Readonly<Record<number, number>>
  /** Ids that end a generation besides those of the model. */
  readonly stopIds?: readonly number[]
  /** Go on behind end tokens and stop texts of the template, to `maxNewTokens` or what the request says. */
  readonly ignoreEnds?: boolean
  /** Texts that end a generation; the text itself is not returned. */
  readonly stop?: readonly string[]
  readonly seed?: number
  /**
   * Log-probabilities of the generated tokens, and of as many of the likeliest in the place of each (0 for none). They are those of the
   * model, before the settings above change scores. Not with beams.
   */
  readonly logprobs?: number
  /**
   * The same for the tokens of the prompt, from the pass that reads it; what stands in the cache already is read again then. Not with beams.
   */
  readonly promptLogprobs?: number
  /**
   * What the answer is held to, by the kind of constraint: `{ schema }` (a JSON schema), `{ regex }`, `{ choices }` (texts), `{ lark }` (a
   * grammar), of `@ift/constraints`, or a kind of another package. Not with beams.
   */
  readonly constraint?: Readonly<Record<string, unknown>> | undefined
  /** Of the adapters of the model, the one that answers; null is the base alone. The one in use when absent. */
  readonly adapter?: AdapterChoice | undefined
}

/** Why a generation ended. */
export type FinishReason = 'eos' | 'stop' | 'length'

/** A token and the natural logarithm of its probability. */
export interface LogProb {
  readonly id: number
  readonly logprob: number
}

/** A generated token, and the likeliest ones in its place, highest first. */
export interface TokenLogProb extends LogProb {
  readonly top: readonly LogProb[]
}

export interface Generation {
  readonly text: string
  /** Ids after the prompt, the end token left out. */
  readonly ids: Int32Array
  readonly finish: FinishReason
  readonly promptTokens: number
  /** Of the prompt's tokens, those that stood in the cache already. */
  readonly cachedTokens: number
  /** One of each id, where they were asked for. */
  readonly logprobs?: readonly TokenLogProb[]
  /** One of each token of the prompt, null for the first, where they were asked for. */
  readonly promptLogprobs?: readonly (TokenLogProb | null)[]
  /** The token that ended it, with its log-probability where these were asked for; absent where no token did. */
  readonly end?: { readonly id: number; readonly logprob: TokenLogProb | null }
  /** The stop text that ended it. */
  readonly stopText?: string
}

/** What became certain of an answer: text, and the tokens since the piece before, also those that add none. */
export interface AnswerPiece {
  readonly text: string
  readonly ids: readonly number[]
  /** One of each id, where they were asked for. */
  readonly logprobs: readonly TokenLogProb[]
}

/** State that a `logits` tap sees: scores are f32 [vocab] on the host and may be changed in place. */
export interface LogitsContext {
  /** Prompt and what was generated so far. */
  readonly ids: readonly number[]
  readonly promptTokens: number
}
