import { version } from '@ift/core'
import { z } from 'zod'
import { detokenizeRequest, tokenizeRequest } from './routes/tokenizer.js'
import { chatRequest } from './schema/chat.js'
import { completionRequest } from './schema/completion.js'

const json = (schema: object) => ({ content: { 'application/json': { schema } } })

const error = {
  type: 'object',
  properties: {
    error: {
      type: 'object',
      properties: {
        message: { type: 'string' },
        type: { type: 'string' },
        param: { type: ['string', 'null'] },
        code: { type: ['string', 'null'] },
      },
      required: ['message', 'type', 'param', 'code'],
    },
  },
  required: ['error'],
}

const replies = (description: string) => ({
  200: { description },
  default: { description: 'An error', ...json(error) },
})

const posts = (summary: string, schema: z.ZodType) => {
  const { $schema: _, ...body } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })
  return {
    post: { summary, requestBody: { required: true, ...json(body) }, responses: replies('The reply') },
  }
}

const gets = (summary: string) => ({ get: { summary, responses: replies('The reply') } })

/** The paths of the server as an OpenAPI document (https://spec.openapis.org/oas/v3.1.0), from the schemas that requests are read with. */
export const openApi = () => ({
  openapi: '3.1.0',
  info: { title: 'ift', version },
  paths: {
    '/v1/models': gets('The base and its adapters'),
    '/v1/models/{id}': {
      ...gets('One of them'),
      parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'string' } }],
    },
    '/v1/chat/completions': posts('Answer a conversation', chatRequest),
    '/v1/completions': posts('Continue texts or ids', completionRequest),
    '/tokenize': posts('Ids of a text or a conversation', tokenizeRequest),
    '/detokenize': posts('The text of ids', detokenizeRequest),
    '/tokenizer_info': gets('Special tokens and the chat template'),
    '/health': gets('Whether the model is loaded'),
    '/metrics': gets('Numbers for Prometheus'),
    '/version': gets('The version of ift'),
  },
})
