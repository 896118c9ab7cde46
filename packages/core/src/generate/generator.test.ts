import { expect, test } from 'vitest'
import type { AdapterChoice } from '../contract/adapters.js'
import { wordless } from '../testing/greedy.js'
import type { Decoder } from './decoder.js'
import { Generator } from './generator.js'

class Added extends Error {}

/** A decoder whose first sequence ends the test. */
const added: (AdapterChoice | undefined)[] = []
const decoder = {
  add(adapter?: AdapterChoice) {
    added.push(adapter)
    throw new Added()
  },
  remove: () => undefined,
} as unknown as Decoder
const generator = new Generator({
  ...{ decoder, tokenizer: wordless, ends: new Set(), stop: [], maxPositions: null, tap: null },
})
const generate = (prompts: readonly (readonly number[] | null)[], adapter: (AdapterChoice | undefined)[]) => {
  added.length = 0
  return generator.generateAll(prompts, { maxNewTokens: 2, adapter })
}

test.each([
  { prompts: [[1], [2], [3]], adapter: ['a', 'b'] },
  { prompts: [[1], [2]], adapter: ['a', 'b', 'c'] },
  { prompts: [[1]], adapter: [] },
  { prompts: [], adapter: ['a'] },
  { prompts: [[1], null, [3]], adapter: [null, undefined] },
])('$prompts with adapters $adapter: another length is refused before anything begins', async (one) => {
  await expect(generate(one.prompts, one.adapter)).rejects.toMatchObject({
    code: 'IFT_GENERATE_OPTION',
    message: expect.stringMatching(
      `adapter expected .*\\(${one.prompts.length}\\), found a list of ${one.adapter.length}`,
    ) as string,
  })
  expect(added).toEqual([])
})

test('a list with one for each prompt is taken, prompts that are passed over included', async () => {
  await expect(generate([[1], null, [3]], ['a', undefined, null])).rejects.toThrow(Added)
  expect(added).toEqual(['a'])
  await expect(generate([[1]], ['a'])).rejects.toThrow(Added)
})

test('a prompt alone has a list of one', async () => {
  const one = (adapter: AdapterChoice[]) => generator.generate([1], { maxNewTokens: 2, adapter })
  await expect(one(['a', 'b'])).rejects.toMatchObject({ code: 'IFT_GENERATE_OPTION' })
  await expect(one(['a'])).rejects.toThrow(Added)
})
