import {
  isInstruction,
  isMessages,
  type InstructionExample,
  type MessagesExample,
} from '../../contract/data.js'
import { isExactNumber } from '../exact-json.js'
import { valueOf, type Field } from './field.js'
import { drop, isDropped, type Read, type RecordContext } from './read.js'

export interface Candidate {
  readonly read: Read
  /** How good it is: the higher, the better. Without scores the candidates stand in their order, the best one first. */
  readonly score?: Field
}

type Answered = InstructionExample | MessagesExample

/** What is asked, as one text, and what is answered last. */
function taken(example: Answered): { readonly asked: string; readonly answer: string } {
  if (isInstruction(example)) {
    const { instruction, input, output, system = '', history = [] } = example
    return { asked: JSON.stringify([instruction, input, system, history]), answer: output }
  }
  const asked = example.messages.slice(0, -1).map(({ role, content }) => [role, content])
  return { asked: JSON.stringify(asked), answer: example.messages.at(-1)?.content ?? '' }
}

const numberOf = (value: unknown): number =>
  typeof value === 'number' ? value : isExactNumber(value) ? Number(value.value) : NaN

/**
 * The better of several answers is learned, the worst one kept as `rejected`, where it answers the same question, is another text and
 * has a lower score. Candidates that give no example, or have no number as their score, do not count; without any, or where the first of
 * candidates without scores gives none, the reason of the first holds: a worse answer is never learned in its place.
 */
export function preferred(...candidates: readonly Candidate[]): Read {
  const read = ({ read, score }: Candidate, at: number, record: unknown, context: RecordContext) => {
    const made = read(record, context)
    const value = score === undefined ? -at : numberOf(valueOf(score, record, context))
    return { made, value }
  }
  return (record, context) => {
    const all = candidates.map((one, at) => read(one, at, record, context))
    if (candidates[0]?.score === undefined && isDropped(all[0]?.made)) return all[0].made
    const usable = all.flatMap(({ made, value }) => {
      const example = [made].flat()[0]
      if (isDropped(made) || example === undefined || !Number.isFinite(value)) return []
      return isInstruction(example as Answered) || isMessages(example as Answered)
        ? [{ example: example as Answered, value }]
        : []
    })
    const sorted = usable.toSorted((a, b) => b.value - a.value)
    const [best, worst] = [sorted[0], sorted.at(-1)]
    if (!best || !worst) {
      const first = all[0]?.made
      return isDropped(first) ? first : drop('no answer with a score')
    }
    const [better, worse] = [taken(best.example), taken(worst.example)]
    const differ = better.asked === worse.asked && better.answer !== worse.answer && best.value > worst.value
    return differ && worse.answer.trim() !== '' ? { ...best.example, rejected: worse.answer } : best.example
  }
}
