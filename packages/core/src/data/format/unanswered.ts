import { isRecord } from '../read/record.js'
import { alpacaNames, type AlpacaNames } from './alpaca.js'

type Fields = Readonly<Record<string, unknown>>

/** Fields of the forms that hold the answer. */
export const answerFields: ReadonlySet<string> = new Set(['output', 'completion'])

const absent = (value: unknown) => value === undefined || value === null

/** Instruction and answer of the forms that have one of each. A lone prompt is one of a completion, which is never taken apart. */
const pairs: readonly AlpacaNames[] = [{ instruction: 'prompt', output: 'completion' }, ...alpacaNames]

/** Whose instruction is there; the best one has a field for the answer, then one for the input, then fields of its own. */
function namesOf(record: Fields): AlpacaNames | undefined {
  const own = !absent(record['system']) || !absent(record['history'])
  const fit = (names: AlpacaNames) =>
    4 * Number(names.output in record) +
    2 * Number(names.input !== undefined && !absent(record[names.input])) +
    Number(own && names.output !== 'completion')
  return pairs
    .filter(({ instruction }) => !absent(record[instruction]) && !Array.isArray(record[instruction]))
    .reduce<AlpacaNames | undefined>(
      (best, names) => (best === undefined || fit(names) > fit(best) ? names : best),
      undefined,
    )
}

const isAssistant = (turn: unknown) =>
  isRecord(turn) && /^(assistant|gpt|chatgpt|bing|bard)$/i.test(String(turn['role'] ?? turn['from']))

/** Turns whose last one is an answer that is still to be made: without it, or with an empty one in its round. */
function openTurns(turns: readonly unknown[]): readonly unknown[] {
  const last = turns.at(-1)
  if (!isRecord(last)) return turns
  if (typeof last['human'] === 'string' && absent(last['assistant']))
    return [...turns.slice(0, -1), { ...last, assistant: '' }]
  const empty = absent(last['content']) && absent(last['value']) && absent(last['tool_calls'])
  return turns.length > 1 && isAssistant(last) && empty ? turns.slice(0, -1) : turns
}

/**
 * A record of a file that is to be answered, with an empty answer where it has none, so that it is of the form that the same
 * record with its answer has in training.
 */
export function unansweredRecord(record: Fields): Fields {
  for (const field of ['messages', 'conversations', 'conversation']) {
    const turns = record[field]
    if (Array.isArray(turns)) return { ...record, [field]: openTurns(turns) }
  }
  const { input, output } = record
  if (Array.isArray(input)) {
    const answers: readonly unknown[] = Array.isArray(output) ? output : []
    return answers.length < input.length && input.length - answers.length === 1
      ? { ...record, output: [...answers, ''] }
      : record
  }
  const names = namesOf(record)
  return names && absent(record[names.output]) ? { ...record, [names.output]: '' } : record
}
