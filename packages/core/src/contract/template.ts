import type { InstructionExample, MessagesExample, Segment } from './data.js'

/** Which assistant turns are learned: all of them, the last one, or every token of the text. */
export type TrainOn = 'assistant' | 'last' | 'all'

/** How examples become text. `render` ends with the answer and its end token, `prompt` where the model continues. */
export interface PromptTemplate {
  readonly name: string
  render(example: InstructionExample | MessagesExample, trainOn: TrainOn): readonly Segment[]
  prompt(example: InstructionExample | MessagesExample): readonly Segment[]
  /** Programs of other engines that write the same text of a conversation; absent where there are none. */
  readonly sources?: TemplateSources | undefined
  /** Texts at which generation ends, besides the end token. */
  readonly stop: readonly string[]
}

/** Texts of the tokens that stand around texts; null for one that a tokenizer lacks. */
export interface BoundaryTokens {
  readonly bos: string | null
  readonly eos: string | null
}

/**
 * A template as source of other languages. Of a conversation they take what was said and by whom: system messages first, then questions and
 * answers in turn. With `begins` false they leave out the bos that the text would begin with, for an engine that puts it there itself.
 */
export interface TemplateSources {
  /** Jinja, as the chat templates of checkpoints are: `messages`, `add_generation_prompt`, `bos_token` and `eos_token`. */
  jinja(begins: boolean): string
  /** Go's text/template, as Ollama reads it (`.Messages`); null where there is none. It has no way to trim a text. */
  go(tokens: BoundaryTokens, begins: boolean): string | null
}
