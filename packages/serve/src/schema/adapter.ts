import { z } from 'zod'

/** Of vLLM's request; a path is none of a client's. */
export const adapterRequest = z.object({
  lora_name: z
    .string()
    .min(1)
    .max(256)
    .describe('An adapter of the folder that the server was started with.'),
  lora_path: z.unknown().optional().describe('Refused: adapters are named.'),
})
