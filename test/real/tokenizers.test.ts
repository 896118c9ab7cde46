import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Tokenizer } from '@ift/core'
import { loadTokenizer } from '@ift/tokenizers'
import { beforeAll, describe, expect, test } from 'vitest'
import { fixture, readJson } from '../fixture/files.js'

// Published tokenizers on hard lines, beside transformers: scripts/reference/make_real_tokenizers.py made the digests,
// `node scripts/real-models/fetch` brings the files.

const cache =
  process.env['IFT_REAL_MODELS_CACHE'] ??
  join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'ift-real-models')
const lines = readJson(fixture('real-tokenizers/lines.json')) as string[]
const { digests } = readJson(fixture('real-tokenizers/expected.json')) as {
  digests: Record<string, string[]>
}

const digest = (text: string) => createHash('sha256').update(text, 'utf8').digest('hex').slice(0, 24)

for (const [name, expected] of Object.entries(digests)) {
  const dir = join(cache, `tokenizer-${name}`)
  const absent = !existsSync(join(dir, 'tokenizer.json'))
  if (absent) console.warn(`skipped: ${dir} is absent (scripts/real-models/fetch brings it)`)

  describe.skipIf(absent)(name, () => {
    let tokenizer: Tokenizer
    beforeAll(async () => {
      tokenizer = await loadTokenizer(dir)
    }, 60_000)

    test('ids and text of hard lines are those of transformers', { timeout: 60_000 }, async () => {
      const different: string[] = []
      for (const [i, { ids }] of (await tokenizer.encodeBatch(lines, { specials: true })).entries()) {
        const text = await tokenizer.decode(ids, { specials: true })
        const stream = tokenizer.decodeStream({ specials: true })
        let streamed = ''
        for (const id of ids) streamed += await stream.push(id)
        streamed += await stream.end()
        const found = `${digest(ids.join(' '))} ${digest(text)}`
        if (found !== expected[i] || streamed !== text) different.push(`${i} ${JSON.stringify(lines[i])}`)
      }
      expect(different).toEqual([])
      expect(lines.length).toBe(300)
    })

    test('without special tokens, a text has none and comes back', { timeout: 60_000 }, async () => {
      const special = new Set(tokenizer.specials.values())
      for (const [i, { ids, offsets }] of (await tokenizer.encodeBatch(lines)).entries()) {
        expect(ids.filter((id) => special.has(id))).toEqual(new Int32Array())
        for (let at = 1; at < ids.length; at++)
          expect(offsets[2 * at]!, `line ${i}, token ${at}`).toBeGreaterThanOrEqual(offsets[2 * at - 2]!)
      }
    })
  })
}
