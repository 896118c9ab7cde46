import type { ChatRequest } from './schema/chat.js'
import { callConstraintFor, type CallableFunction, type ParsedTemplate } from './tools/parser.js'
import { invalid, unsupported } from './wire/errors.js'

type Asked = Pick<ChatRequest, 'tool_choice' | 'parallel_tool_calls' | 'response_format'>

/** What an answer is held to where it must call: any of the functions ("required"), or one by its name. Undefined where it need not. */
export function calledFor(
  template: ParsedTemplate,
  functions: readonly CallableFunction[],
  { tool_choice: choice = 'auto', parallel_tool_calls: several = true, response_format: format }: Asked,
): Readonly<Record<string, unknown>> | undefined {
  if (choice === 'auto' || choice === 'none') return undefined
  const name = typeof choice === 'string' ? null : choice.function.name
  const called = functions.filter((one) => name === null || one.name === name)
  if (called.length === 0)
    throw invalid(
      'tool_choice',
      name === null
        ? 'tool_choice: "required" expected functions in tools, found none.'
        : `tool_choice: expected one of tools, found "${name.slice(0, 80)}".`,
    )
  if (format !== undefined && format.type !== 'text')
    throw unsupported('response_format', 'response_format: expected none beside a tool_choice that calls.')
  const constraint = callConstraintFor(template, called, several && name === null)
  if (constraint) return constraint
  throw unsupported(
    'tool_choice',
    `tool_choice: expected "auto" or "none" under the template "${template.name}", whose calls no grammar says.`,
  )
}
