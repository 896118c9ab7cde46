import { numbered, textOf, valueOf, type Field } from '@ift/core/collection'

/**
 * Messages of a dialog up to the one that says that the task is done, as `messages` reads them: texts of user and assistant in turn, or
 * objects that name the role.
 */
export const turns: Field = (record, context) => {
  const list = valueOf(numbered('message_'), record, context)
  if (!Array.isArray(list)) return undefined
  const made = list.map((message: unknown, i) => {
    const role = textOf(valueOf('role_type', message, context))
      ?.split('.')
      .at(-1)
    const inTurn = i % 2 === 0 ? 'user' : 'assistant'
    const content = typeof message === 'string' ? message : valueOf('content', message, context)
    return { role: role || inTurn, content }
  })
  const end = made.findIndex(({ content }) => textOf(content)?.includes('CAMEL_TASK_DONE'))
  return end < 0 ? made : made.slice(0, end + 1)
}
