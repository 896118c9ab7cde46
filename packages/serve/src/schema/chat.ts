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

/** Names of a template's variables that are not a client's. */
const taken = new Set([
  ...['messages', 'tools', 'add_generation_prompt', 'continue_final_message', 'chat_template', 'tokenize'],
])

/** Variables of the checkpoint's chat template. */
export const templateVariables = z
  .record(
    z
      .string()
      .regex(/^[A-Za-z]\w{0,63}$/, 'expected names of letters, digits and _, at most 64')
      .refine((name) => !taken.has(name), 'expected names that are no fields of the request'),
    z.unknown(),
  )
  .describe(
    'Variables for the chat template of the checkpoint, such as enable_thinking: 16 KiB of JSON, 16 levels deep.',
  )

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
  chat_template_kwargs: templateVariables.optional(),
  reasoning_effort: z
    .string()
    .regex(/^\w{1,32}$/, 'expected a word')
    .optional()
    .describe('A variable for the chat template, where it has one of this name.'),
})

export type ChatRequest = z.output<typeof chatRequest>
