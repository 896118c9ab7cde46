import { markedTurns } from '../conversation.js'
import type { Example } from '../../contract/data.js'
import type { RawRecord } from '../read/record.js'
import { optionalText, textField, wrongField, type RecordFormat } from './format.js'

export interface AlpacaNames {
  readonly instruction: string
  readonly input?: string
  readonly output: string
}

/** Field names under which sets publish instruction, input and output; the first set that a record has wins. */
export const alpacaNames: readonly AlpacaNames[] = [
  { instruction: 'instruction', input: 'input', output: 'output' },
  // dolly
  { instruction: 'instruction', input: 'context', output: 'response' },
  // GPTeacher
  { instruction: 'instruction', input: 'input', output: 'response' },
  // firefly, pCLUE: the text in `input` is the whole instruction
  { instruction: 'input', output: 'target' },
  // xP3, FLAN
  { instruction: 'inputs', output: 'targets' },
  // GPT4all
  { instruction: 'prompt', output: 'response' },
  // GSM8K and many question sets
  { instruction: 'question', output: 'answer' },
  // Chinese-medical-dialogue
  { instruction: 'ask', output: 'answer' },
]

const has = (record: Readonly<Record<string, unknown>>, field: string) =>
  record[field] !== undefined && record[field] !== null

const namesOf = (record: Readonly<Record<string, unknown>>) =>
  alpacaNames.find(
    ({ instruction, input, output }) =>
      has(record, instruction) && has(record, output) && (input !== 'context' || has(record, 'context')),
  )

function historyOf(raw: RawRecord): readonly (readonly [string, string])[] | undefined {
  const { history } = raw.record
  if (history === undefined || history === null) return undefined
  const isPair = (pair: unknown): pair is [string, string] =>
    Array.isArray(pair) && pair.length === 2 && pair.every((text) => typeof text === 'string')
  if (Array.isArray(history) && history.every(isPair)) return history.length > 0 ? history : undefined
  throw wrongField(raw.where, 'history', 'a list of [question, answer] pairs', history)
}

/** {instruction, input, output[, system, history]}, the original platform's record, and its aliases. */
export const alpaca: RecordFormat = {
  name: 'alpaca',
  fields: ['instruction', 'input', 'output', 'system', 'history'],
  matches: (record) => namesOf(record) !== undefined,
  convert(raw): Example {
    const fields = namesOf(raw.record) ?? alpacaNames[0]!
    const instruction = textField(raw, fields.instruction)
    const input = fields.input === undefined ? '' : optionalText(raw, fields.input)
    const output = textField(raw, fields.output)
    const system = optionalText(raw, 'system')
    const history = historyOf(raw)
    if (instruction === '' && input === '')
      throw wrongField(raw.where, fields.instruction, 'a text that is not empty', instruction)
    const turns = input === '' && !history ? markedTurns(instruction, output) : null
    if (turns) return { messages: system === '' ? turns : [{ role: 'system', content: system }, ...turns] }
    return { instruction, input, output, ...(system !== '' && { system }), ...(history && { history }) }
  },
}
