import {
  isInstruction,
  isMessages,
  type Example,
  type InstructionExample,
  type Message,
  type MessagesExample,
} from '../contract/data.js'
import type { LocatedExample } from './build.js'
import { toMessages } from './conversation.js'

/**
 * What becomes of a conversation with several answers: `whole` is one sample in which all of them are learned, `each` one for each answer with
 * the turns before it, which are not learned, `alone` the same without the turns before its question. The last two are what the original
 * platform's files `NAME_context.json` and `NAME.json` hold.
 */
export const turnPolicies = ['whole', 'each', 'alone'] as const
export type TurnPolicy = (typeof turnPolicies)[number]

/** The examples of a conversation, in the order of its answers; anything without several of them stays as it is. */
export function answerTurns(example: Example, policy: TurnPolicy): readonly Example[] {
  if (policy === 'whole') return [example]
  if (isMessages(example)) return ofMessages(example, policy)
  if (!isInstruction(example) || !example.history?.length) return [example]
  return policy === 'alone'
    ? alone(example)
    : // History of an instruction is learned with it; only messages can say that it is not.
      ofMessages({ messages: toMessages(example), ...notesOf(example, true) }, policy)
}

/** The worse answer is one to the last question alone. */
const notesOf = ({ rejected, meta }: InstructionExample | MessagesExample, isLast: boolean) => ({
  ...(meta && { meta }),
  ...(isLast && rejected !== undefined && { rejected }),
})

function alone({ history = [], ...last }: InstructionExample): InstructionExample[] {
  const { system } = last
  const earlier = history.map(([instruction, output]) => ({
    ...{ instruction, input: '', output },
    ...(system === undefined ? {} : { system }),
    ...notesOf(last, false),
  }))
  return [...earlier, last]
}

const unlearned = (message: Message): Message =>
  message.role === 'assistant' ? { ...message, learned: false } : message

function ofMessages(example: MessagesExample, policy: TurnPolicy): MessagesExample[] {
  const { messages, tools } = example
  const answers = messages.flatMap(({ role }, i) => (role === 'assistant' ? [i] : []))
  if (answers.length < 2) return [example]
  const start = messages.findIndex(({ role }) => role !== 'system')
  return answers
    .filter((at) => messages[at]!.learned !== false)
    .map((at) => {
      // Results of tools, and the calls that led to them, belong to the question.
      const question = messages.findLastIndex(({ role }, i) => i < at && role === 'user')
      const from = policy === 'alone' ? Math.max(start, question) : start
      return {
        messages: [...messages.slice(0, start), ...messages.slice(from, at).map(unlearned), messages[at]!],
        ...(tools === undefined ? {} : { tools }),
        ...notesOf(example, at === answers.at(-1)),
      }
    })
}

/** Examples with their conversations as the policy says, each where its record is. */
export async function* turnsOf(
  examples: AsyncIterable<LocatedExample>,
  policy: TurnPolicy,
): AsyncGenerator<LocatedExample> {
  for await (const located of examples)
    for (const example of answerTurns(located.example, policy)) yield { ...located, example }
}
