import type { PromptSpan } from '@ift/tensor'

/** What a dataset knows of an example besides its texts. Nothing of it reaches the model. */
export interface ExampleNotes {
  /** A worse answer to the last question, for methods that learn preferences. */
  readonly rejected?: string
  /** Facts such as the task or the kind of the record, for counting and choosing. */
  readonly meta?: Readonly<Record<string, string>>
}

/** One instruction with its answer, the record of the original platform; absent texts are ''. */
export interface InstructionExample extends ExampleNotes {
  readonly instruction: string
  readonly input: string
  readonly output: string
  readonly system?: string
  /** Earlier rounds, oldest first. */
  readonly history?: readonly (readonly [user: string, assistant: string])[]
}

export type Role = 'system' | 'user' | 'assistant' | 'tool'

export interface Message {
  readonly role: Role
  readonly content: string
  /** Calls of an assistant in OpenAI's form; a chat template sees them as `tool_calls`. */
  readonly toolCalls?: readonly unknown[]
  /**
   * Other fields of the message in the record (name, tool_call_id, reasoning_content and so on), for chat templates.
   * A content of null and a role under another name are kept here as well.
   */
  readonly fields?: Readonly<Record<string, unknown>>
  /** False for an answer that its author keeps as context: nothing of it is learned, whatever `trainOn` says. */
  readonly learned?: boolean
}

/**
 * A conversation. `tools` is the JSON of callable functions that a chat template may render; `variables` are JSON values that it reads by
 * name besides (`chat_template_kwargs` elsewhere: `enable_thinking`). Other templates read neither.
 */
export interface MessagesExample extends ExampleNotes {
  readonly messages: readonly Message[]
  readonly tools?: unknown
  readonly variables?: Readonly<Record<string, unknown>>
}

/** A document for language modelling: every token is trained. */
export interface TextExample {
  readonly text: string
}

/** Token ids made elsewhere. labels[i] is the id expected *at* position i, or -100 (Hugging Face's convention). */
export interface TokenizedExample {
  readonly ids: readonly number[]
  readonly labels?: readonly number[]
}

/** An example of any form, as datasets yield them. */
export type Example = InstructionExample | MessagesExample | TextExample | TokenizedExample

export const isInstruction = (example: Example): example is InstructionExample => 'instruction' in example
export const isMessages = (example: Example): example is MessagesExample => 'messages' in example
export const isText = (example: Example): example is TextExample => 'text' in example
export const isTokenized = (example: Example): example is TokenizedExample => 'ids' in example

/** Text of one role in the layout of a template. The model reads the segments one after another, and nothing else. */
export interface Segment {
  readonly role: Role | 'template'
  readonly text: string
  /** Whether the tokens that begin in this text are learned. */
  readonly trained: boolean
  /** Of an answer that is never learned. */
  readonly excluded?: boolean
  /**
   * Set when `text` names a special token ('bos', 'eos' or the token's own text such as '<|im_end|>') that goes in as
   * its id and never passes through the tokenizer.
   */
  readonly special?: boolean
}

/** A tokenised example. labels[i] is the id expected at position i, or -100 where nothing is learned. */
export interface Sample {
  readonly ids: Int32Array
  readonly labels: Int32Array
}

/**
 * Sequences laid end to end, as the model takes them: N = all tokens. targets[i] is the id that position i must
 * predict (the next token of its own sequence), or -1.
 */
export interface PackedBatch {
  readonly ids: Int32Array
  readonly positions: Int32Array
  readonly targets: Int32Array
  /** Rows of each sequence, without those that it shares. */
  readonly lengths: readonly number[]
  /**
   * For each sequence, the index of the sequence that holds its beginning, or -1. Samples that begin alike have this
   * beginning in the batch once. Absent when nothing is shared.
   */
  readonly prefixes?: readonly number[]
  /** For each sequence, the part that is read in both directions; absent for models that read in one direction. */
  readonly prompts?: readonly PromptSpan[]
  /**
   * For each sequence, the first id of its sample where virtual rows must predict it, or -1; absent without virtual rows, where nothing
   * predicts a first token.
   */
  readonly firstTargets?: Int32Array
  /** Targets, those in `firstTargets` too. */
  readonly trainedTokens: number
}
