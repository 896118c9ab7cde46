import type { CausalLM } from '@ift/tensor'
import type { AdapterChoice, PassAdapters } from '../contract/index.js'

/**
 * Sequences, by their indices, that one pass can compute: all of them, wherever their adapters share passes. Adapters that do not, and
 * virtual tokens of several adapters where prompts are read in both directions, have passes of their own.
 */
export function passesOf(
  choices: readonly AdapterChoice[],
  adapters: PassAdapters | null,
  { promptOf }: Pick<CausalLM, 'promptOf'>,
): readonly (readonly number[])[] {
  const all = [...choices.keys()]
  const different = new Set(choices)
  if (different.size < 2 || adapters === null) return [all]
  const hasPrefix = (name: AdapterChoice) => name !== null && adapters.handle(name).prefix !== undefined
  const isAlone = (name: AdapterChoice) =>
    name !== null && (!adapters.mixes(name) || (promptOf !== undefined && hasPrefix(name)))
  const passes = new Map<AdapterChoice, number[]>()
  for (const i of all) {
    // Null stands for the pass that others share.
    const pass = isAlone(choices[i]!) ? choices[i]! : null
    const own = passes.get(pass)
    if (own) own.push(i)
    else passes.set(pass, [i])
  }
  return [...passes.values()]
}
