import { columns, decodeBreaks, defineCollection, messages, through, transcript } from '@ift/core/collection'

/** The first release of the 0.5M set calls its fields input and target. */
const fields = { instruction: ['instruction', 'input'], input: 'input', output: ['output', 'target'] }
const read = columns(fields, { blanks: true })
const decoded = columns({
  instruction: through(fields.instruction, decodeBreaks),
  output: through(fields.output, decodeBreaks),
})
/** The answers of the mathematics set begin with a line break. */
const math = columns({ ...fields, output: through('output', (text) => text.replace(/^\n/, '')) })
const chat = transcript('instruction', { user: 'Human:', assistant: 'Assistant:', answer: 'output' })

const file = (name: string, read: typeof chat, converted?: string) => ({
  files: [`${name}.json`],
  converted: converted === undefined ? [] : [{ names: `belle_cn/${converted}.json`, read }],
  read,
})
const instructions = (size: string, read: typeof chat) =>
  file(`Belle_open_source_${size}`, read, `belle_instructions/belle_data${size}_cn`)

/** BELLE's sets. */
export const plugin = defineCollection(new URL('../card.json', import.meta.url), {
  belle: instructions('0.5M', read),
  'belle-decoded': instructions('0.5M', decoded),
  belle1m: instructions('1M', read),
  'belle-math': file('school_math_0.25M', math, 'school_math_0.25M'),
  'belle-multiturn': file('multiturn_chat_0.8M', chat, 'multiturn_chat_0.8M'),
  'belle-generated': file('generated_chat_0.4M', read),
  'belle-2m': file('train_2M_CN', read),
  'belle-3.5m': file('train_3.5M_CN', messages('conversations')),
})
