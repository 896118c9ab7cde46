import { z } from 'zod'
import { mostTop, sampling } from './sampling.js'

const ids = z.array(z.int().min(0)).min(1)

/** `POST /v1/completions`. */
export const completionRequest = z.object({
  prompt: z
    .union([z.string(), z.array(z.string()).min(1).max(256), ids, z.array(ids).min(1).max(256)])
    .describe('Texts, or ids of tokens, which are taken as they are.'),
  ...sampling,
  max_tokens: z.int().min(0).default(16).describe('New tokens at most; 0 with echo scores the prompt.'),
  echo: z.boolean().optional().describe('Begin with the prompt.'),
  logprobs: z.int().min(0).max(mostTop).optional().describe('Likeliest tokens in the place of each.'),
  suffix: z.string().optional(),
  best_of: z.int().optional(),
})

export type CompletionRequest = z.output<typeof completionRequest>
