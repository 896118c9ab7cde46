import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { manifestConformance, tokenizerConformance } from '@ift/core/testing'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { definition, plugin } from './index.js'

const folder = mkdtempSync(join(tmpdir(), '__name__-'))
const written = (settings: unknown) => {
  writeFileSync(join(folder, '__name__.json'), JSON.stringify(settings))
}
beforeEach(() => {
  written({ specials: ['<s>', '</s>', '<|user|>'] })
})
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

describe('conformance', () => {
  const golden = [{ text: 'Aé', ids: [3 + 0x41, 3 + 0xc3, 3 + 0xa9] }]
  for (const { name, run } of tokenizerConformance('__name__', () => definition.load(folder), { golden }))
    test(name, run)
  const own = fileURLToPath(new URL('..', import.meta.url))
  for (const { name, run } of manifestConformance(plugin, own)) test(name, run)
})

test('it is where its file is, and what is saved is the same tokenizer', async () => {
  const other = mkdtempSync(join(tmpdir(), '__name__-'))
  try {
    expect(await definition.detect(folder)).toBe(true)
    expect(await definition.detect(other)).toBe(false)
    const tokenizer = await definition.load(folder)
    expect(await tokenizer.save(other)).toEqual(['__name__.json'])
    expect((await definition.load(other)).fingerprint).toBe(tokenizer.fingerprint)
  } finally {
    rmSync(other, { recursive: true, force: true })
  }
})

test.each([[{}], [{ specials: ['<s>'] }], [{ specials: ['<s>', '<s>'] }], [{ specials: ['<s>', 1] }]])(
  '%j is no file of it',
  async (settings) => {
    written(settings)
    await expect(definition.load(folder)).rejects.toThrow('specials expected two different texts or more')
  },
)
