import { z } from 'zod'
import { mostTop, sampling } from './sampling.js'

const part = z.looseObject({ type: z.string() })

/** A message of OpenAI's; other fields of it reach the template. */
export const message = z.looseObject({
  role: z.enum(['system', 'developer', 'user', 'assistant', 'tool']),
  content: z.union([z.string(), z.array(part), z.null()]).optional(),
  tool_calls: z.array(z.looseObject({})).nullish(),
})

const tool = z.looseObject({
  type: z.literal('function'),
  function: z.looseObject({
    name: z.string().regex(/^[\w.-]{1,64}$/, 'expected letters, digits, and . _ -, at most 64'),
    description: z.string().optional(),
    parameters: z.looseObject({}).optional(),
  }),
})

const responseFormat = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text') }),
  z.object({ type: z.literal('json_object') }),
  z.object({
    type: z.literal('json_schema'),
    json_schema: z.looseObject({ name: z.string().optional(), schema: z.looseObject({}) }),
  }),
])

/** `POST /v1/chat/completions`. */
export const chatRequest = z.object({
  messages: z.array(message).min(1).describe('The conversation; the last message is answered, or continued.'),
  ...sampling,
  max_completion_tokens: z.int().min(1).optional().describe('Wins over max_tokens.'),
  logprobs: z.boolean().optional(),
  top_logprobs: z.int().min(0).max(mostTop).optional(),
  tools: z.array(tool).max(128).optional().describe('Functions that the model may call.'),
  tool_choice: z
    .union([
      z.enum(['none', 'auto', 'required']),
      z.looseObject({ type: z.literal('function'), function: z.looseObject({ name: z.string() }) }),
    ])
    .optional(),
  parallel_tool_calls: z.boolean().optional(),
  response_format: responseFormat.optional().describe('What the answer is held to.'),
  continue_final_message: z.boolean().optional(),
  add_generation_prompt: z.boolean().optional(),
  chat_template: z.unknown().optional().describe('Refused: the template is that of the checkpoint.'),
  chat_template_kwargs: z.looseObject({}).optional(),
})

export type ChatRequest = z.output<typeof chatRequest>
