import { isInstruction, isMessages, isText, isTokenized, type Example } from '../../contract/data.js'
import { messageText, toLastAnswer, toMessages, userText } from '../conversation.js'
import { exactJson } from '../exact-json.js'
import { normalise } from './normalise.js'

/** What of an example is compared with others. */
export interface ComparedTexts {
  /** System texts, and the tools that may be called. */
  readonly frame: string
  /** Everything before the last answer but the frame; of a document its text. */
  readonly question: readonly string[]
  /** The last answer; '' without one. */
  readonly answer: string
  /** What the user says; of a document its text. */
  readonly asked: readonly string[]
}

/** Between texts that are hashed together: normalised ones have no control characters. */
export const separator = '\u0001'

/** The texts of an example; null for token ids, which have none. */
export function comparedTexts(example: Example): ComparedTexts | null {
  if (isTokenized(example)) return null
  if (isText(example)) {
    const question = [example.text]
    return { frame: '', question, answer: '', asked: question }
  }
  if (isInstruction(example) && !example.system && !example.history?.length) {
    const question = [userText(example)]
    return { frame: '', question, answer: example.output, asked: question }
  }
  const messages = toLastAnswer(toMessages(example))
  const turns = messages.filter(({ role }) => role !== 'system')
  const answered = turns.at(-1)?.role === 'assistant'
  const tools = isMessages(example) && example.tools !== undefined ? [exactJson(example.tools)] : []
  return {
    frame: [...messages.filter(({ role }) => role === 'system').map(messageText), ...tools].join('\n'),
    question: (answered ? turns.slice(0, -1) : turns).map(messageText),
    answer: answered ? messageText(turns.at(-1)!) : '',
    asked: turns.filter(({ role }) => role === 'user').map(messageText),
  }
}

/** The normal forms of texts. */
export function normalTexts({ frame, question, answer, asked }: ComparedTexts): ComparedTexts {
  const normal = question.map(normalise)
  return {
    frame: normalise(frame),
    question: normal,
    answer: normalise(answer),
    asked: asked === question ? normal : asked.map(normalise),
  }
}
