// What the server answers with, for the OpenAPI document. The tests hold replies to it, so a field that is missing here is a failure.
import { z } from 'zod'

const count = z.int().min(0)
const seconds = z.int().describe('Seconds since 1970.')

const usage = z.strictObject({
  prompt_tokens: count,
  completion_tokens: count.describe('Of all answers, one that ended an answer included.'),
  total_tokens: count,
  prompt_tokens_details: z.strictObject({
    cached_tokens: count.describe('Tokens of the prompt that were not computed again.'),
  }),
})
const finished = z.enum(['stop', 'length', 'tool_calls'])
const stopReason = z
  .union([z.string(), z.int()])
  .nullable()
  .describe('The text or id of the request that ended it.')

const head = (object: string) => ({
  id: z.string(),
  object: z.literal(object),
  created: seconds,
  model: z.string(),
  system_fingerprint: z
    .string()
    .describe('With the same one, and the same seed, a request has the same answer.'),
})

const logprob = { token: z.string(), logprob: z.number(), bytes: z.array(z.int().min(0).max(255)) }
const chatLogprobs = z
  .strictObject({
    content: z.array(z.strictObject({ ...logprob, top_logprobs: z.array(z.strictObject(logprob)) })),
    refusal: z.null(),
  })
  .nullable()

const called = z.strictObject({
  name: z.string(),
  arguments: z.string().describe('As the model wrote them.'),
})

export const chatReply = z.strictObject({
  ...head('chat.completion'),
  choices: z.array(
    z.strictObject({
      index: count,
      message: z.strictObject({
        role: z.literal('assistant'),
        content: z.string().nullable(),
        refusal: z.null(),
        reasoning_content: z.string().optional().describe('Thoughts before the answer.'),
        tool_calls: z
          .array(z.strictObject({ id: z.string(), type: z.literal('function'), function: called }))
          .optional(),
      }),
      logprobs: chatLogprobs,
      finish_reason: finished,
      stop_reason: stopReason,
    }),
  ),
  usage,
})

export const chatChunk = z.strictObject({
  ...head('chat.completion.chunk'),
  choices: z
    .array(
      z.strictObject({
        index: count,
        delta: z.strictObject({
          role: z.literal('assistant').optional(),
          content: z.string().optional(),
          reasoning_content: z.string().optional(),
          tool_calls: z
            .array(
              z.strictObject({
                index: count,
                id: z.string().optional(),
                type: z.literal('function').optional(),
                function: called.partial({ name: true }),
              }),
            )
            .optional(),
        }),
        logprobs: chatLogprobs,
        finish_reason: finished.nullable(),
        stop_reason: stopReason.optional(),
      }),
    )
    .describe('None in the last one, which has the usage.'),
  usage: usage.nullable().optional(),
})

const textLogprobs = z
  .strictObject({
    tokens: z.array(z.string()),
    token_logprobs: z.array(z.number().nullable()),
    top_logprobs: z.array(z.record(z.string(), z.number()).nullable()),
    text_offset: z.array(count),
  })
  .nullable()
const textChoice = { index: count, text: z.string(), logprobs: textLogprobs }

export const completionReply = z.strictObject({
  ...head('text_completion'),
  choices: z.array(z.strictObject({ ...textChoice, finish_reason: finished, stop_reason: stopReason })),
  usage,
})

export const completionChunk = z.strictObject({
  ...head('text_completion'),
  choices: z.array(
    z.strictObject({
      ...textChoice,
      finish_reason: finished.nullable(),
      stop_reason: stopReason.optional(),
    }),
  ),
  usage: usage.nullable().optional(),
})

export const modelReply = z.strictObject({
  id: z.string().describe('What requests name it by.'),
  object: z.literal('model'),
  created: seconds,
  owned_by: z.literal('ift'),
  parent: z.string().optional().describe('Of an adapter, the base.'),
  max_model_len: z.int().nullable(),
  template: z.string(),
})

export const modelsReply = z.strictObject({ object: z.literal('list'), data: z.array(modelReply) })

export const deletedReply = z.strictObject({
  id: z.string(),
  object: z.literal('model'),
  deleted: z.literal(true),
})

export const tokenizeReply = z.strictObject({
  count,
  max_model_len: z.int().nullable(),
  tokens: z.array(count),
  token_strs: z.array(z.string()).optional(),
})

export const detokenizeReply = z.strictObject({ prompt: z.string() })

export const tokenizerReply = z.strictObject({
  eos_token: z.string().nullable(),
  bos_token: z.string().nullable(),
  pad_token: z.string().nullable(),
  chat_template: z.string().nullable(),
  vocab_size: count,
  max_model_len: z.int().nullable(),
})

export const healthReply = z.strictObject({ status: z.literal('ok') })

export const versionReply = z.strictObject({ version: z.string() })

export const errorReply = z.strictObject({
  error: z.strictObject({
    message: z.string(),
    type: z.enum([
      'invalid_request_error',
      'authentication_error',
      'permission_error',
      'rate_limit_error',
      'server_error',
    ]),
    param: z.string().nullable().describe('The field of the request.'),
    code: z.string(),
  }),
})
