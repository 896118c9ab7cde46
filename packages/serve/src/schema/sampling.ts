import { z } from 'zod'

/** Answers to one request at most. */
export const mostAnswers = 16
/** Log-probabilities in the place of each token at most. */
export const mostTop = 20

const probability = z.number().min(0).max(1)

/** How answers are chosen: fields that chat completions and completions share. */
export const sampling = {
  model: z.string().max(256).optional().describe('The base or an adapter; the base when absent.'),
  max_tokens: z.int().min(1).optional().describe('New tokens at most.'),
  min_tokens: z.int().min(0).optional().describe('New tokens before which the answer does not end.'),
  temperature: z.number().min(0).max(100).optional().describe('0 takes the likeliest token.'),
  top_p: probability.optional().describe('Choose among the likeliest that hold this much probability.'),
  top_k: z.int().min(-1).optional().describe('Choose among the k likeliest; 0 and -1 are all.'),
  min_p: probability.optional().describe('Leave out tokens below this share of the likeliest one.'),
  repetition_penalty: z.number().gt(0).optional(),
  no_repeat_ngram_size: z.int().min(0).optional(),
  presence_penalty: z.number().min(-2).max(2).optional(),
  frequency_penalty: z.number().min(-2).max(2).optional(),
  logit_bias: z
    .record(z.string().regex(/^\d{1,9}$/, 'expected ids as keys'), z.number().min(-100).max(100))
    .optional(),
  stop: z
    .union([z.string().max(256), z.array(z.string().max(256)).max(16)])
    .optional()
    .describe('Texts that end the answer.'),
  stop_token_ids: z.array(z.int().min(0)).max(16).optional(),
  ignore_eos: z.boolean().optional(),
  n: z.int().min(1).max(mostAnswers).optional().describe('Answers.'),
  seed: z
    .int()
    .min(-(2 ** 53) + 1)
    .optional(),
  cache_salt: z
    .string()
    .min(1)
    .max(256)
    .optional()
    .describe(
      'A prompt goes on from beginnings that requests with the same one have left, and from no others.',
    ),
  stream: z.boolean().optional(),
  stream_options: z.looseObject({ include_usage: z.boolean().optional() }).optional(),
}

/** What of a request decides how tokens are chosen. */
export type Sampling = z.output<z.ZodObject<typeof sampling>>
