import { IftError } from '@ift/tensor'
import type { InstructionExample, MessagesExample, Segment } from '../contract/data.js'
import type { PromptTemplate, Tokenizer } from '../contract/index.js'

type Fields = Readonly<Record<string, unknown>>

const asked = { role: 'user', content: 'a' } as const
const answered = { role: 'assistant', content: 'b' } as const
/** Marks where the next turn begins in a rendering. */
const mark = '\uE0F3'
const call = { type: 'function', function: { name: 'f', arguments: { a: 'b' } } }

const answer: InstructionExample = { instruction: 'a', input: '', output: 'b' }
/** An answer inside a conversation, and one that calls a function: a template may end these in their own ways. */
const others: readonly MessagesExample[] = [
  { messages: [asked, answered, { role: 'user', content: mark }, answered] },
  { messages: [asked, { role: 'assistant', content: '', toolCalls: [call] }] },
]

/** Learned segments of a rendering up to the mark; null when the template refuses the conversation. */
function learnedOf(
  template: PromptTemplate,
  example: InstructionExample | MessagesExample,
): readonly Segment[] | null {
  try {
    const segments = template.render(example, 'assistant')
    const next = segments.findIndex(({ text }) => text.includes(mark))
    return segments.slice(0, next < 0 ? undefined : next).filter(({ trained }) => trained)
  } catch (cause) {
    // It may know no calls, or want a system message.
    if (cause instanceof IftError) return null
    throw cause
  }
}

/** The special token that learned text ends in, white space apart. */
function endOf(learned: readonly Segment[]): string | null {
  const last = learned.findLast(({ special, text }) => special === true || text.trim() !== '')
  return last?.special === true ? last.text : null
}

/**
 * Ids that a model learns to end its answers with under a template: the last token behind the answers of a rendering.
 * On base models this is not the tokenizer's end token when a chat template ends turns with one of its own.
 */
export function turnEnds(
  template: PromptTemplate,
  { specials, eosId, bosId }: Tokenizer,
): ReadonlySet<number> {
  const plain = learnedOf(template, answer) ?? []
  const names = new Set([endOf(plain), ...others.map((example) => endOf(learnedOf(template, example) ?? []))])
  // Special tokens inside an answer do not end it.
  const inside = plain.filter(({ special }) => special).map(({ text }) => text)
  for (const text of inside.slice(0, endOf(plain) === null ? undefined : -1)) names.delete(text)
  const ids = [...names].map((text) => (text === 'eos' ? eosId : text === null ? null : specials.get(text)))
  return new Set(ids.filter((id): id is number => id !== null && id !== undefined && id !== bosId))
}

const listed = (value: unknown, { vocabSize }: Tokenizer): number[] =>
  (Array.isArray(value) ? (value as unknown[]) : [value]).filter(
    (id): id is number => typeof id === 'number' && id >= 0 && id < vocabSize,
  )

/** Tokens that end a generation, and the generation_config.json that records them. */
export interface EndTokens {
  /** The tokenizer's end token, those of generation_config.json, and `learned`. */
  readonly ends: ReadonlySet<number>
  /** Those that answers were or will be ended with in training. */
  readonly learned: readonly number[]
  /** generation_config.json with `learned` in eos_token_id; absent when there was none and none is needed. */
  readonly generationConfig: Fields | undefined
}

/** `recorded` holds the end tokens in the record of an adapter or model. */
export function endTokens(
  checkpoint: { readonly json: Fields; readonly generationConfig: Fields | undefined },
  tokenizer: Tokenizer,
  template: PromptTemplate,
  recorded: readonly number[] = [],
): EndTokens {
  const { json, generationConfig } = checkpoint
  const published = listed(generationConfig?.['eos_token_id'], tokenizer)
  const own = tokenizer.eosId === null ? published : [tokenizer.eosId, ...published]
  const learned = [...new Set([...turnEnds(template, tokenizer), ...listed(recorded, tokenizer)])]
  // Early LLaMA conversions carry wrong ids in config.json: believed only when nothing better is known.
  const ends = new Set([...(own.length > 0 ? own : listed(json['eos_token_id'], tokenizer)), ...learned])
  const known = published.length > 0 ? published : own
  const missing = learned.filter((id) => !known.includes(id))
  if (missing.length === 0) return { ends, learned, generationConfig }
  // Where there is no generation_config.json, programs take these from config.json.
  const fallback = Object.fromEntries(
    ['bos_token_id', 'pad_token_id'].filter((key) => key in json).map((key) => [key, json[key]]),
  )
  const eos = [...(known.length > 0 ? known : listed(json['eos_token_id'], tokenizer)), ...missing]
  return {
    ends,
    learned,
    generationConfig: { ...(generationConfig ?? fallback), eos_token_id: [...new Set(eos)] },
  }
}
