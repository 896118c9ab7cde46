import type { InstructionExample } from '../../contract/data.js'
import { isRecord } from '../read/record.js'
import { isBlank, textOf, valueOf, type Field } from './field.js'
import { metaOf, type MetaFields } from './meta.js'
import { Alternatives } from './one-of.js'
import { drop, type Read } from './read.js'

export interface ColumnFields {
  readonly instruction: Field
  readonly input?: Field
  readonly output: Field
  readonly system?: Field
}

export interface ColumnOptions extends MetaFields {
  /** Whether an input of words such as "no input" and "<noinput>", or the instruction once more, is none. */
  readonly blanks?: boolean
}

const noInput = /^\s*(<\s*no\s?input\s*>|no\s?input\.?|n\/a)\s*$/i

/** Fields of a record as instruction, input and output. A record without a question or without an answer gives no example. */
export function columns(fields: ColumnFields, options: ColumnOptions = {}): Read {
  return (record, context) => {
    if (!isRecord(record)) return drop('no record')
    const texts = { instruction: '', input: '', system: '' }
    for (const name of ['instruction', 'input', 'system'] as const) {
      const field = fields[name]
      const text = field === undefined ? '' : textOf(valueOf(field, record, context))
      if (text === null) return drop(`the ${name} is no text`)
      texts[name] = text
    }
    const { instruction, system } = texts
    const repeated = options.blanks === true && (noInput.test(texts.input) || texts.input === instruction)
    const input = repeated ? '' : texts.input
    if (isBlank(instruction) && isBlank(input)) return drop('no question')
    const value = valueOf(fields.output, record, context)
    const answers = value instanceof Alternatives ? value.texts : [textOf(value)]
    const meta = metaOf(options, record, context)
    const examples: InstructionExample[] = []
    for (const output of answers) {
      if (output === null) return drop('the answer is no text')
      if (isBlank(output)) return drop('no answer')
      examples.push({ instruction, input, output, ...(system !== '' && { system }), ...meta })
    }
    return examples.length === 1 ? examples[0]! : examples
  }
}
