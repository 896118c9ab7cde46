import type { MessagesExample, OpenModel } from '@ift/core'
import { depthOf } from './json-depth.js'
import type { ChatRequest } from './schema/chat.js'
import { invalid, unsupported } from './wire/errors.js'

/** Bytes of all variables at most, and how deep they may be. */
const limits = { bytes: 16 * 1024, depth: 16 }

const param = 'chat_template_kwargs'

/** Variables for the template, and those of the request that it does not read. */
interface TemplateVariables {
  readonly example: Pick<MessagesExample, 'variables'>
  readonly ignored: readonly string[]
}

/**
 * What a request says to the checkpoint's own template, besides the conversation. 400 for variables where the template is another one, which
 * reads none, and for too many of them. `reasoning_effort` is one of them where the template has it, because clients send it to any model.
 */
export function variablesOf(
  { template, tokenizer }: Pick<OpenModel, 'template' | 'tokenizer'>,
  { chat_template_kwargs: given = {}, reasoning_effort: effort }: Partial<ChatRequest>,
): TemplateVariables {
  const source = template.name === 'chat' ? tokenizer.chatTemplate : null
  const names = Object.keys(given)
  if (names.length > 0 && source === null)
    throw unsupported(param, `${param}: the template "${template.name}" of the model reads none.`)
  const bytes = Buffer.byteLength(JSON.stringify(given))
  if (bytes > limits.bytes)
    throw invalid(param, `${param}: expected at most ${limits.bytes} bytes, found ${bytes}.`)
  const depth = depthOf(given)
  if (depth > limits.depth)
    throw invalid(param, `${param}: expected at most ${limits.depth} levels, found ${depth}.`)
  const reads = (name: string) => source !== null && new RegExp(`\\b${name}\\b`).test(source)
  const hasEffort = effort !== undefined && reads('reasoning_effort')
  const variables = { ...(hasEffort && { reasoning_effort: effort }), ...given }
  return {
    example: Object.keys(variables).length > 0 ? { variables } : {},
    ignored: [
      ...names.filter((name) => !reads(name)).map((name) => `${param}.${name}`),
      ...(effort !== undefined && !hasEffort ? ['reasoning_effort'] : []),
    ],
  }
}
