import {
  answerOf,
  callsOf,
  exactJson,
  functionsOf,
  isInstruction,
  learn,
  messageText,
  promptMessages,
  sourcesOf,
  toLastAnswer,
  toMessages,
  toRounds,
  type InstructionExample,
  type Message,
  type MessagesExample,
  type PromptTemplate,
  type Segment,
  type TemplateProgram,
  type ToolCall,
} from '@ift/core'
import { firstProgram, roleProgram, secondProgram } from './programs.js'
import { pythonCall, pythonJson } from './python-calls.js'

const given = (text: string, role: Segment['role'] = 'template'): Segment => ({ role, text, trained: false })
const answered = (text: string): Segment => ({ role: 'assistant', text, trained: true })
const special = (text: string): Segment => ({ role: 'template', text, trained: false, special: true })
const eos: Segment = { role: 'assistant', text: 'eos', trained: true, special: true }

const toolsOf = (example: InstructionExample | MessagesExample): unknown =>
  isInstruction(example) ? undefined : example.tools

/**
 * A template that begins with the two tokens every GLM reads first and ends with eos, once: between rounds the next
 * question follows the answer, as in the prompts of the original chats.
 */
function glmTemplate(
  name: string,
  prefix: readonly string[],
  stop: readonly string[],
  write: (messages: readonly Message[], open: boolean, tools: unknown) => readonly Segment[],
  program: TemplateProgram,
): PromptTemplate {
  const start = prefix.map(special)
  return {
    name,
    render(example, trainOn) {
      const messages = toMessages(example)
      const segments = [...start, ...write(messages, false, toolsOf(example))]
      const last = messages.at(-1)
      if (last?.role === 'assistant') segments.push(...answerOf(last, [eos]))
      return learn(segments, trainOn)
    },
    prompt: (example) =>
      [...start, ...write(promptMessages(example), true, toolsOf(example))].map((segment) =>
        segment.trained ? { ...segment, trained: false } : segment,
      ),
    stop,
    sources: sourcesOf(program),
  }
}

/** What ChatGLM-6B reads: the question alone, or rounds from 0 with the last answer open. */
function firstPrompt(messages: readonly Message[]): Segment[] {
  const { system, history, instruction } = toRounds({ messages })
  const start = system === '' ? [] : [given(system, 'system'), given('\n\n')]
  if (history.length === 0) return [...start, given(instruction, 'user')]
  const rounds = history.flatMap(([question, answer], i) => [
    given(`[Round ${i}]\n问：`),
    given(question, 'user'),
    given('\n答：'),
    given(answer, 'assistant'),
    given('\n'),
  ])
  return [
    ...start,
    ...rounds,
    given(`[Round ${history.length}]\n问：`),
    given(instruction, 'user'),
    given('\n答：'),
  ]
}

const blank = [special('[gMASK]'), special('<sop>')]

/**
 * ChatGLM-6B: "[Round 0]\n问：…\n答：…\n[Round 1]\n问：…\n答：[gMASK]<sop>…<eop>", a single question without marks. The
 * last answer alone is learned, whatever `trainOn` says: all before it is read in both directions.
 */
export const chatglm1: PromptTemplate = {
  name: 'chatglm1',
  render(example) {
    const messages = toLastAnswer(toMessages(example))
    const { output, answered: isAnswered } = toRounds({ messages })
    if (!isAnswered) return firstPrompt(messages)
    return [...firstPrompt(messages), ...blank, ...answerOf(messages.at(-1)!, [answered(output), eos])]
  },
  prompt: (example) => [...firstPrompt(promptMessages(example)), ...blank],
  stop: [],
  sources: sourcesOf(firstProgram('[gMASK]<sop>')),
}

/** ChatGLM2: "[gMASK]sop[Round 1]\n\n问：…\n\n答：…\n\n[Round 2]…". It has no system role: such a text stands in front. */
export const chatglm2 = glmTemplate(
  'chatglm2',
  ['[gMASK]', 'sop'],
  [],
  (messages, open) => {
    const segments: Segment[] = []
    let round = 0
    let inAnswer = false
    for (const message of messages) {
      const text = messageText(message)
      if (message.role === 'system') {
        segments.push(given(text, 'system'), given('\n\n'))
        continue
      }
      if (message.role === 'assistant') {
        // An answer follows 答：, which an answer without a question lacks.
        if (!inAnswer) segments.push(given(`[Round ${++round}]\n\n问：\n\n答：`))
        segments.push(...answerOf(message, [answered(text)]), given('\n\n'))
        inAnswer = false
        continue
      }
      // Two questions in a row: the first was not answered.
      if (inAnswer) segments.push(given('\n\n'))
      segments.push(given(`[Round ${++round}]\n\n问：`), given(text, message.role), given('\n\n答：'))
      inAnswer = true
    }
    // The separator stands between rounds only.
    if (!open && messages.at(-1)?.role === 'assistant') segments.pop()
    return segments
  },
  secondProgram,
)

/** What ChatGLM3 and GLM-4 call the roles. */
const roles = {
  system: '<|system|>',
  user: '<|user|>',
  assistant: '<|assistant|>',
  tool: '<|observation|>',
} as const

interface RoleFormat {
  /** Between what stands behind a role's token (the name of a function that is called) and the text. */
  readonly lead: string
  /** Text of a call, behind the function's name. */
  readonly call: (call: ToolCall) => string
  /** The system message with the functions that may be called; `system` is '' without one. */
  readonly system: (system: string, tools: unknown) => string
}

/** System message first when there are functions to describe. */
function withTools(messages: readonly Message[], tools: unknown, { system }: RoleFormat): readonly Message[] {
  if (tools === undefined || tools === null || (Array.isArray(tools) && tools.length === 0)) return messages
  const [first, ...rest] = messages
  return first?.role === 'system'
    ? [{ role: 'system', content: system(first.content, tools) }, ...rest]
    : [{ role: 'system', content: system('', tools) }, ...messages]
}

/** "<|role|>\n…" for every message. The line break behind <|assistant|> is the model's own and is learned. */
const byRole =
  (format: RoleFormat) =>
  (messages: readonly Message[], open: boolean, tools: unknown): readonly Segment[] => {
    const { lead, call } = format
    const segments: Segment[] = []
    for (const message of withTools(messages, tools, format)) {
      const calls = message.role === 'assistant' ? callsOf(message) : []
      if (message.role !== 'assistant')
        segments.push(special(roles[message.role]), given(lead), given(message.content, message.role))
      else if (message.content !== '' || calls.length === 0)
        segments.push(special(roles.assistant), ...answerOf(message, [answered(`${lead}${message.content}`)]))
      for (const one of calls)
        segments.push(
          special(roles.assistant),
          ...answerOf(message, [answered(`${one.name}${lead}${call(one)}`)]),
        )
    }
    return open ? [...segments, special(roles.assistant)] : segments
  }

const chatglm3Format: RoleFormat = {
  // The blank stands for the word start of its SentencePiece, which every text has.
  lead: '\n ',
  call: pythonCall,
  system: (system, tools) =>
    `${
      system === ''
        ? 'Answer the following questions as best as you can. You have access to the following tools:'
        : system
    }\n${exactJson(tools, 4)}`,
}

/** ChatGLM3: "[gMASK]sop<|user|>\n …<|assistant|>\n …", a call "<|assistant|>name\n ```python\ntool_call(…)\n```". */
export const chatglm3 = glmTemplate(
  'chatglm3',
  ['[gMASK]', 'sop'],
  [roles.user, roles.tool],
  byRole(chatglm3Format),
  roleProgram('[gMASK]sop', chatglm3Format.lead),
)

const glm4Format: RoleFormat = {
  lead: '\n',
  call: (call) => pythonJson(call.arguments),
  system: (system, tools) =>
    `${
      system === ''
        ? '你是一个名为 GLM-4 的人工智能助手。你是基于智谱AI训练的语言模型 GLM-4 模型开发的，你的任务是针对用户的问题和要求提供适当的答复和支持。'
        : system
    }\n\n# 可用工具${functionsOf(tools)
      .map(
        (one) =>
          `\n\n## ${String(one['name'])}\n\n${exactJson(one, 4)}\n在调用上述函数时，请使用 Json 格式表示调用的参数。`,
      )
      .join('')}`,
}

/** GLM-4: "[gMASK]<sop><|user|>\n…<|assistant|>\n…", a call "<|assistant|>name\n{…}". */
export const glm4 = glmTemplate(
  'glm4',
  ['[gMASK]', '<sop>'],
  [roles.user, roles.tool],
  byRole(glm4Format),
  roleProgram('[gMASK]<sop>', glm4Format.lead),
)
