import { IftError } from '@ift/tensor'
import { exactJson, parseExactJson } from './exact-json.js'
import type { Message } from '../contract/data.js'

/** A call of a function, whichever of OpenAI's forms it came in. */
export interface ToolCall {
  readonly name: string
  readonly arguments: unknown
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Arguments of a call come as JSON in a text, as OpenAI writes them, or as they are; a text that is no JSON stays one. */
export function parsedArguments(value: unknown): unknown {
  if (typeof value !== 'string') return value ?? {}
  try {
    return parseExactJson(value)
  } catch {
    return value
  }
}

/** The calls of an assistant: `{ function: { name, arguments } }` or `{ name, arguments }`. */
export const callsOf = ({ toolCalls = [] }: Message): readonly ToolCall[] =>
  toolCalls.map((call) => {
    const given = isRecord(call) && isRecord(call['function']) ? call['function'] : call
    if (!isRecord(given) || typeof given['name'] !== 'string')
      throw new IftError(
        'IFT_DATA_RECORD',
        `A tool call expected "name" and "arguments", found ${JSON.stringify(call)}.`,
        'Write calls as OpenAI does: {"type": "function", "function": {"name": …, "arguments": …}}',
      )
    return { name: given['name'], arguments: parsedArguments(given['arguments'] ?? given['parameters']) }
  })

/**
 * Calls as the text of an answer, under templates that have no form of their own for them: a JSON list of the calls as the record has them.
 * A server reads the same form from what a model answers.
 */
export const writtenCalls = (calls: readonly unknown[]): string => exactJson(calls)

/** The functions among tools: `{ type: 'function', function: … }` or the function itself. */
export const functionsOf = (tools: unknown): readonly Record<string, unknown>[] =>
  (Array.isArray(tools) ? tools : [tools]).filter(isRecord).map((tool) => {
    const inner = tool['function']
    return isRecord(inner) ? inner : tool
  })
