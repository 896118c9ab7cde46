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
  /** Texts that end a generation; the text itself is not returned. */
  readonly stop?: readonly string[]
  readonly seed?: number
  /**
   * Log-probabilities of the generated tokens, and of as many of the likeliest in the place of each (0 for none). They are those of the
   * model, before the settings above change scores. Not with beams.
   */
  readonly logprobs?: number
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
  /** One of each id, where they were asked for. */
  readonly logprobs?: readonly TokenLogProb[]
}

/** State that a `logits` tap sees: scores are f32 [vocab] on the host and may be changed in place. */
export interface LogitsContext {
  /** Prompt and what was generated so far. */
  readonly ids: readonly number[]
  readonly promptTokens: number
}
