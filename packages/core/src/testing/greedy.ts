import type { Backend, CausalLM } from '@ift/tensor'
import type { ModelShape } from '../contract/model.js'
import type { PeftHandle } from '../contract/peft.js'
import type { Tokenizer } from '../contract/tokenizer.js'
import { Decoder } from '../generate/decoder.js'
import { Generator } from '../generate/generator.js'

/** Ids are what is compared: texts play no part. */
export const wordless = {
  decodeStream: () => ({ push: () => Promise.resolve(''), end: () => Promise.resolve('') }),
} as unknown as Tokenizer

/**
 * The `count` most likely ids behind a prompt, one after the other, as a session generates them: through the paged cache and
 * with the steps that a device records, behind what a method puts in front. For comparison with the greedy `generate` of a
 * reference implementation.
 */
export async function greedyIds(
  backend: Backend,
  model: CausalLM,
  shape: ModelShape,
  prompt: readonly number[],
  count: number,
  peft: PeftHandle | null = null,
): Promise<number[]> {
  const decoder = new Decoder(backend, model, peft, shape, 'f32')
  const parts = {
    decoder,
    tokenizer: wordless,
    ends: new Set<number>(),
    stop: [],
    maxPositions: null,
    tap: null,
  }
  try {
    const { ids } = await new Generator(parts).generate(prompt, { doSample: false, maxNewTokens: count })
    return [...ids]
  } finally {
    decoder.release()
  }
}
