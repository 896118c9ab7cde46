import { fileURLToPath } from 'node:url'
import type { TokenBytes } from '@ift/core'
import { manifestConformance } from '@ift/core/testing'
import { describe, expect, test } from 'vitest'
import { constraint, plugin } from './index.js'

/** All bytes, then words, then a special token of no text, then the end. */
const words = ['12', '1a', 'yes']
const special = 256 + words.length
const end = special + 1
const vocabulary: TokenBytes = {
  size: end + 1,
  bytes: (id) =>
    id < 256
      ? Uint8Array.of(id)
      : words[id - 256] === undefined
        ? null
        : new TextEncoder().encode(words[id - 256]),
  ends: new Set([end]),
}

test('tokens of these characters may come, at any time, and the end', async () => {
  const compile = await constraint.for(vocabulary)
  const state = (await compile('12')).begin()
  const open = () => {
    const mask = state.mask()
    return Array.from({ length: vocabulary.size }, (_, id) => id).filter(
      (id) => (mask[id >>> 5]! >>> (id & 31)) & 1,
    )
  }
  const expected = ['1'.charCodeAt(0), '2'.charCodeAt(0), 256, end]
  expect(open()).toEqual(expected)
  state.accept(256)
  expect(open()).toEqual(expected)
  expect(state.ended).toBe(false)
})

test.each([[''], ['é'], ['\n'], [12], [null]])('%j is refused', async (value) => {
  const compile = await constraint.for(vocabulary)
  expect(() => compile(value)).toThrow('constraint.__name__ expected visible characters of ASCII')
})

describe('package.json', () => {
  const folder = fileURLToPath(new URL('..', import.meta.url))
  for (const { name, run } of manifestConformance(plugin, folder)) test(name, run)
})
