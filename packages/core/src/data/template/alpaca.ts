import { promptMessages, toLastAnswer, toRounds, type Conversation } from '../conversation.js'
import type { PromptTemplate } from '../../contract/template.js'
import {
  isInstruction,
  type InstructionExample,
  type MessagesExample,
  type Segment,
} from '../../contract/data.js'
import { sourcesOf, type TemplateProgram } from './sources/index.js'
import { exclude, given, learn, said, special } from './turns.js'

const withInput =
  'Below is an instruction that describes a task, paired with an input that provides further context. ' +
  'Write a response that appropriately completes the request.'
const withoutInput =
  'Below is an instruction that describes a task. Write a response that appropriately completes the request.'
// "an multi-round" is how the original platform writes it, and its adapters were trained with it.
const dialogue =
  'Below is an multi-round dialogue between human and assistant. Write a response as an assistant that ' +
  'appropriately completes the human request in each round by incorporating previous context.'

const systemText = (system: string | undefined) => (system ? `${system}\n\n` : '')

function single({ instruction, input, system }: InstructionExample): Segment[] {
  return [
    said('template', `${systemText(system)}${input === '' ? withoutInput : withInput}\n\n### Instruction:\n`),
    said('user', instruction),
    ...(input === '' ? [] : [said('template', '\n\n### Input:\n'), said('user', input)]),
    said('template', '\n\n### Response:'),
  ]
}

/** "### Human: …\n</s>### Assistant: …\n</s>" with the end token for </s>; the last answer has no line end. */
function rounds({ system, history, instruction, learned }: Conversation): Segment[] {
  const segments = [said('template', `${systemText(system)}${dialogue}\n\n`)]
  const ask = (user: string) =>
    segments.push(
      said('template', '### Human: '),
      said('user', user),
      said('template', '\n'),
      special('eos'),
      said('template', '### Assistant:'),
    )
  for (const [i, [user, assistant]] of history.entries()) {
    ask(user)
    const answer = [said('assistant', ` ${assistant}\n`, true), special('eos', true, 'assistant')]
    segments.push(...(learned[i] === false ? exclude(answer) : answer))
  }
  ask(instruction)
  return segments
}

const conversationOf = (example: InstructionExample | MessagesExample): Conversation | null => {
  if (isInstruction(example))
    return example.history && example.history.length > 0
      ? toRounds({ messages: promptMessages(example) })
      : null
  return toRounds(example)
}

/** The same for a conversation, whose questions have no input. */
const program: TemplateProgram = {
  before: [
    { when: 'system', then: [{ value: 'system' }, '\n\n'] },
    { when: 'rounds', then: [`${dialogue}\n\n`], otherwise: [`${withoutInput}\n\n`] },
  ],
  each: [
    {
      when: 'assistant',
      then: [
        ' ',
        { value: 'content' },
        { when: 'rounds', then: [{ when: 'last', then: [], otherwise: ['\n'] }], otherwise: [' '] },
        { token: 'eos' },
      ],
      otherwise: [
        {
          when: 'rounds',
          then: ['### Human: ', { value: 'content' }, '\n', { token: 'eos' }, '### Assistant:'],
          otherwise: ['### Instruction:\n', { value: 'content' }, '\n\n### Response:'],
        },
      ],
    },
  ],
  after: [],
}

/**
 * Stanford Alpaca's two prompts, as the original platform trained them: with an input or without one, which the empty
 * string decides (white space counts as an input), then one space, the output, one space and the end token. The answer
 * owns both spaces, so the prompt ends in "### Response:" and a model continues it as it was trained. A conversation of
 * several rounds takes the platform's multi-round prompt, whose answers are all learned, marks excepted.
 */
export const alpaca: PromptTemplate = {
  name: 'alpaca',
  render(given, trainOn) {
    const example = isInstruction(given) ? given : { ...given, messages: toLastAnswer(given.messages) }
    const conversation = conversationOf(example)
    if (!isInstruction(example) && !conversation!.answered) return learn(open(example, conversation), trainOn)
    const many = conversation !== null && conversation.history.length > 0
    const output = isInstruction(example) ? example.output : conversation!.output
    const answer = [
      said('assistant', many ? ` ${output}` : ` ${output} `, true),
      special('eos', true, 'assistant'),
    ]
    const excluded = conversation?.learned.at(-1) === false
    return learn([...open(example, conversation), ...(excluded ? exclude(answer) : answer)], trainOn)
  },
  prompt(example) {
    promptMessages(example)
    return given(open(example, conversationOf(example)))
  },
  stop: [],
  sources: sourcesOf(program),
}

function open(example: InstructionExample | MessagesExample, conversation: Conversation | null): Segment[] {
  if (conversation === null) return single(example as InstructionExample)
  return conversation.history.length > 0
    ? rounds(conversation)
    : single({ ...conversation, input: '', history: [] })
}
