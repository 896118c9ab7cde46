import {
  messageText,
  promptMessages,
  toMessages,
  type Message,
  type PromptTemplate,
  type Segment,
  type TrainOn,
} from '@ift/core'

const given = (text: string, role: Segment['role'] = 'template'): Segment => ({ role, text, trained: false })
const answered = (text: string): Segment => ({ role: 'assistant', text, trained: true })
const special = (text: string): Segment => ({ role: 'template', text, trained: false, special: true })
const eos: Segment = { role: 'assistant', text: 'eos', trained: true, special: true }

/**
 * A template that begins with the two tokens every GLM reads first and ends with eos, once: between rounds the next
 * question follows the answer, as in the prompts of the original chats.
 */
function glmTemplate(
  name: string,
  prefix: readonly string[],
  stop: readonly string[],
  write: (messages: readonly Message[], open: boolean) => readonly Segment[],
): PromptTemplate {
  const start = prefix.map(special)
  return {
    name,
    render(example, trainOn) {
      const messages = toMessages(example)
      const segments = [...start, ...write(messages, false)]
      if (messages.at(-1)?.role === 'assistant') segments.push(eos)
      return learn(segments, trainOn)
    },
    prompt: (example) =>
      [...start, ...write(promptMessages(example), true)].map((segment) =>
        segment.trained ? { ...segment, trained: false } : segment,
      ),
    stop,
  }
}

function learn(segments: readonly Segment[], trainOn: TrainOn): readonly Segment[] {
  if (trainOn === 'assistant') return segments
  if (trainOn === 'all') return segments.map((segment) => ({ ...segment, trained: true }))
  const end = segments.findLastIndex(({ trained }) => trained)
  const start = segments.findLastIndex(({ trained }, i) => i < end && !trained) + 1
  return segments.map((segment, i) =>
    segment.trained && i < start ? { ...segment, trained: false } : segment,
  )
}

/** ChatGLM2: "[gMASK]sop[Round 1]\n\n问：…\n\n答：…\n\n[Round 2]…". It has no system role: such a text stands in front. */
export const chatglm2 = glmTemplate('chatglm2', ['[gMASK]', 'sop'], [], (messages, open) => {
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
      segments.push(answered(text), given('\n\n'))
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
})

/** What ChatGLM3 and GLM-4 call the roles. */
const roles = {
  system: '<|system|>',
  user: '<|user|>',
  assistant: '<|assistant|>',
  tool: '<|observation|>',
} as const

/** "<|role|>\n…" for every message. The line break behind <|assistant|> is the model's own and is learned. */
const byRole =
  (lead: string) =>
  (messages: readonly Message[], open: boolean): readonly Segment[] => {
    const segments = messages.flatMap((message) => {
      const text = messageText(message)
      const said =
        message.role === 'assistant' ? [answered(`${lead}${text}`)] : [given(lead), given(text, message.role)]
      return [special(roles[message.role]), ...said]
    })
    return open ? [...segments, special(roles.assistant)] : segments
  }

/** ChatGLM3: "[gMASK]sop<|user|>\n …<|assistant|>\n …"; the space stands for the word start of its SentencePiece. */
export const chatglm3 = glmTemplate('chatglm3', ['[gMASK]', 'sop'], [roles.user, roles.tool], byRole('\n '))

/** GLM-4: "[gMASK]<sop><|user|>\n…<|assistant|>\n…". */
export const glm4 = glmTemplate('glm4', ['[gMASK]', '<sop>'], [roles.user, roles.tool], byRole('\n'))
