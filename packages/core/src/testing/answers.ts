import type { Backend, CausalLM } from '@ift/tensor'
import type { GenerateOptions, Generation } from '../contract/generate.js'
import type { ModelShape } from '../contract/model.js'
import type { PeftHandle } from '../contract/peft.js'
import type { Tokenizer } from '../contract/tokenizer.js'
import { Decoder } from '../generate/decoder.js'
import { Engine, type EngineOptions, type EngineParts } from '../generate/engine/engine.js'

/** Ids are what is compared: texts play no part. */
const wordless = {
  decodeStream: () => ({ push: () => Promise.resolve(''), end: () => Promise.resolve('') }),
} as unknown as Tokenizer

/** An engine over a decoder, for ids alone. */
export const engineOver = (
  decoder: EngineParts['decoder'],
  parts: Partial<EngineParts> = {},
  options: EngineOptions = {},
): Engine =>
  new Engine(
    {
      ...{ decoder, tokenizer: wordless, ends: new Set<number>(), stop: [], tap: null },
      room: () => ({ positions: null, virtualTokens: 0 }),
      ...parts,
    },
    options,
  )

/** Answers to prompts that are asked together, prompt i with stream i. */
export const answersTo = (
  engine: Engine,
  prompts: readonly ArrayLike<number>[],
  options: GenerateOptions,
): Promise<Generation[]> =>
  Promise.all(prompts.map((prompt, stream) => engine.submit(prompt, options, { stream }).result))

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
  const engine = engineOver(decoder)
  try {
    const { ids } = await engine.submit(prompt, { doSample: false, maxNewTokens: count }).result
    return [...ids]
  } finally {
    await engine.close()
    decoder.release()
  }
}
