import { isInstruction, isMessages, type Example } from '../contract/data.js'

/** An example as it is asked: without the answer that it ends with, be it one message or several in a row. */
export function withoutAnswer<T extends Example>(example: T): T {
  if (isInstruction(example)) return { ...example, output: '' }
  if (!isMessages(example)) return example
  const asked = example.messages.findLastIndex(({ role }) => role !== 'assistant')
  return { ...example, messages: example.messages.slice(0, asked + 1) }
}
