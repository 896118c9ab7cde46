import { messageText, promptMessages, toMessages } from '../conversation.js'
import { sourcesOf, turnProgram } from './sources/index.js'
import type { PromptTemplate, TrainOn } from '../../contract/template.js'
import type { Message, Segment } from '../../contract/data.js'

/** Text of the template itself or of one role. */
export const said = (role: Segment['role'], text: string, trained = false): Segment => ({
  role,
  text,
  trained,
})

/** A special token, by name ('bos', 'eos') or by its own text. */
export const special = (text: string, trained = false, role: Segment['role'] = 'template'): Segment => ({
  role,
  text,
  trained,
  special: true,
})

/** The segments of an answer as those of one that is never learned. */
export const exclude = (segments: readonly Segment[]): readonly Segment[] =>
  segments.map((segment) => (segment.trained ? { ...segment, trained: false, excluded: true } : segment))

/** Segments of an answer; its author may exclude it from learning. */
export const answerOf = (message: Message, segments: readonly Segment[]): readonly Segment[] =>
  message.learned === false ? exclude(segments) : segments

/** Adjusts flags to `trainOn`; until then, the trained segments are those of every answer. */
export function learn(segments: readonly Segment[], trainOn: TrainOn): readonly Segment[] {
  if (trainOn === 'assistant') return segments
  if (trainOn === 'all')
    return segments.map((segment) => ({ ...segment, trained: segment.excluded !== true }))
  // The last answer is the last unbroken run of segments that are trained, or would be if they were not excluded.
  const isAnswer = ({ trained, excluded }: Segment) => trained || excluded === true
  const end = segments.findLastIndex(isAnswer)
  let start = end
  while (start > 0 && isAnswer(segments[start - 1]!)) start--
  return segments.map((segment, i) =>
    segment.trained && i < start ? { ...segment, trained: false } : segment,
  )
}

/** Segments of a prompt: nothing in it is learned. */
export const given = (segments: readonly Segment[]): readonly Segment[] =>
  segments.map((segment) => (segment.trained ? { ...segment, trained: false } : segment))

/** Parts of a template that writes turn by turn. */
export interface TurnWriter {
  /** Before everything; gets the system message or ''. */
  begin(system: string): readonly Segment[]
  /** A whole turn of the user or of a tool; `round` counts the user's turns from 0. */
  user(message: Message, round: number, system: string): readonly Segment[]
  /** Text before an answer; the generation prompt. */
  open: readonly Segment[]
  /** The answer with its end token, all trained. */
  answer(text: string): readonly Segment[]
  /** Between an answer and what follows; not after the last one. */
  close?: readonly Segment[]
  readonly stop?: readonly string[]
}

/** A template that writes one message after the other. */
export function turnTemplate(name: string, writer: TurnWriter): PromptTemplate {
  const write = (messages: readonly Message[]): Segment[] => {
    const system = messages
      .filter(({ role }) => role === 'system')
      .map(({ content }) => content)
      .join('\n')
    const segments: Segment[] = [...writer.begin(system)]
    let round = 0
    let answered = false
    for (const message of messages) {
      if (message.role === 'system') continue
      if (answered) segments.push(...(writer.close ?? []))
      answered = message.role === 'assistant'
      if (answered) segments.push(...writer.open, ...answerOf(message, writer.answer(messageText(message))))
      else segments.push(...writer.user(message, round++, system))
    }
    return segments
  }
  return {
    name,
    render: (example, trainOn) => learn(write(toMessages(example)), trainOn),
    prompt: (example) => given([...write(promptMessages(example)), ...writer.open]),
    get sources() {
      const program = turnProgram(writer)
      return program === null ? undefined : sourcesOf(program)
    },
    stop: writer.stop ?? [],
  }
}
