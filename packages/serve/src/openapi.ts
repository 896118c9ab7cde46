import { version } from '@ift/core'
import { z } from 'zod'
import { detokenizeRequest, tokenizeRequest } from './routes/tokenizer.js'
import { adapterRequest } from './schema/adapter.js'
import { chatRequest } from './schema/chat.js'
import { completionRequest } from './schema/completion.js'
import * as replies from './schema/replies.js'

const json = (schema: object) => ({ content: { 'application/json': { schema } } })

/** A schema as the document has it. */
function schemaOf(type: z.ZodType, io: 'input' | 'output'): object {
  const { $schema: _, ...schema } = z.toJSONSchema(type, { io, unrepresentable: 'any' })
  return schema
}

/** What is answered: JSON, and where it can come in pieces, each of the events. */
const answers = (description: string, reply: z.ZodType, chunk?: z.ZodType) => ({
  200: {
    description,
    content: {
      ...json(schemaOf(reply, 'output')).content,
      ...(chunk && { 'text/event-stream': { schema: schemaOf(chunk, 'output') } }),
    },
  },
  default: { description: 'An error', ...json(schemaOf(replies.errorReply, 'output')) },
})

const posts = (summary: string, request: z.ZodType, reply: z.ZodType, chunk?: z.ZodType) => ({
  post: {
    summary,
    requestBody: { required: true, ...json(schemaOf(request, 'input')) },
    responses: answers(
      chunk ? 'The reply; with stream its pieces, as events whose last one is [DONE]' : 'The reply',
      reply,
      chunk,
    ),
  },
})

const gets = (summary: string, reply: z.ZodType) => ({
  get: { summary, responses: answers('The reply', reply) },
})

/** The paths of the server as an OpenAPI document (https://spec.openapis.org/oas/v3.1.0), from the schemas that requests are read with. */
export const openApi = () => ({
  openapi: '3.1.0',
  info: { title: 'ift', version },
  paths: {
    '/v1/models': gets('The base and its adapters', replies.modelsReply),
    '/v1/models/{id}': {
      ...gets('One of them', replies.modelReply),
      parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'string' } }],
    },
    '/v1/load_lora_adapter': posts(
      "Load an adapter of the server's folder",
      adapterRequest,
      replies.modelReply,
    ),
    '/v1/unload_lora_adapter': posts(
      'Take one off, when the last answer of it has ended',
      adapterRequest,
      replies.deletedReply,
    ),
    '/v1/chat/completions': posts('Answer a conversation', chatRequest, replies.chatReply, replies.chatChunk),
    '/v1/completions': posts(
      'Continue texts or ids',
      completionRequest,
      replies.completionReply,
      replies.completionChunk,
    ),
    '/tokenize': posts('Ids of a text or a conversation', tokenizeRequest, replies.tokenizeReply),
    '/detokenize': posts('The text of ids', detokenizeRequest, replies.detokenizeReply),
    '/tokenizer_info': gets('Special tokens and the chat template', replies.tokenizerReply),
    '/health': gets('Whether the model is loaded', replies.healthReply),
    '/metrics': {
      get: {
        summary: 'Numbers for Prometheus',
        responses: {
          200: { description: 'The reply', content: { 'text/plain': { schema: { type: 'string' } } } },
          default: { description: 'An error', ...json(schemaOf(replies.errorReply, 'output')) },
        },
      },
    },
    '/version': gets('The version of ift', replies.versionReply),
  },
})
