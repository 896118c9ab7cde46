import { depthOf } from './json-depth.js'
import type { ChatRequest } from './schema/chat.js'
import { invalid } from './wire/errors.js'

/** Bytes of a schema at most, and how deep it may be. */
const limits = { bytes: 64 * 1024, depth: 32 }

/** What an answer is held to by `response_format`; undefined for text. */
export function constraintOf(
  format: ChatRequest['response_format'],
): Readonly<Record<string, unknown>> | undefined {
  if (format === undefined || format.type === 'text') return undefined
  if (format.type === 'json_object') return { schema: { type: 'object' } }
  const { schema } = format.json_schema
  const param = 'response_format.json_schema.schema'
  const bytes = Buffer.byteLength(JSON.stringify(schema))
  if (bytes > limits.bytes)
    throw invalid(param, `${param}: expected at most ${limits.bytes} bytes, found ${bytes}.`)
  const depth = depthOf(schema)
  if (depth > limits.depth)
    throw invalid(param, `${param}: expected at most ${limits.depth} levels, found ${depth}.`)
  return { schema }
}
