import type { z } from 'zod'
import type { Message } from '@ift/core'
import type { message } from './schema/chat.js'
import { HttpError } from './wire/errors.js'

/** A message of a request as templates take it. Of its content texts alone are read; nothing is fetched. */
export function messageOf(
  { role, content, tool_calls, ...fields }: z.output<typeof message>,
  i: number,
): Message {
  return {
    role: role === 'developer' ? 'system' : role,
    content:
      typeof content === 'string'
        ? content
        : (content ?? []).map((part, j) => textOf(part, `messages[${i}].content[${j}]`)).join(''),
    ...(tool_calls && { toolCalls: tool_calls }),
    ...(Object.keys(fields).length > 0 && { fields }),
  }
}

function textOf(part: Readonly<Record<string, unknown>> & { readonly type: string }, param: string): string {
  const { type, text } = part
  if (type === 'text' && typeof text === 'string') return text
  throw new HttpError(
    400,
    'unsupported_content',
    `${param}: expected a part of the type "text", found "${type.slice(0, 60)}". The model reads text alone.`,
    { param },
  )
}
