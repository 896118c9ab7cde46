import type { InstructionExample, MessagesExample, Segment } from './data.js'

/** Which assistant turns are learned: all of them, the last one, or every token of the text. */
export type TrainOn = 'assistant' | 'last' | 'all'

/** How examples become text. `render` ends with the answer and its end token, `prompt` where the model continues. */
export interface PromptTemplate {
  readonly name: string
  render(example: InstructionExample | MessagesExample, trainOn: TrainOn): readonly Segment[]
  prompt(example: InstructionExample | MessagesExample): readonly Segment[]
  /** Texts at which generation ends, besides the end token. */
  readonly stop: readonly string[]
}
