import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadWeights, openCheckpoint } from '@ift/core'
import { llama } from '@ift/model-llama'
import { noGrad, PagedKvCache, scope, tensor } from '@ift/tensor'
import { referenceBackend } from '@ift/tensor/reference'
import { Tokenizer } from 'tokenizers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { shared, sharedMissing } from '../packages/core/src/testing/shared.fixture.js'
import { convert, readPieces, readWeights, safetensors, tokenizerJson } from './convert-stories260k.mjs'

/** What the model writes greedily after the bos token alone. */
const story =
  'Once upon a time, there was a little girl named Lily. She loved to play outside in the park. One day, she saw a ' +
  'big, red ball. She wanted to play with it, but it was too high'

describe.skipIf(sharedMissing('assets/stories260k'))('stories260K', () => {
  const source = shared('assets/stories260k')
  let dir: string
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'ift-stories-'))
    await convert(source, dir)
  })
  afterAll(() => rm(dir, { recursive: true }))

  test('writes its story', async () => {
    const backend = referenceBackend()
    const config = llama.parseConfig(
      JSON.parse(await readFile(join(dir, 'config.json'), 'utf8')) as Record<string, unknown>,
    )
    const model = llama.build(config)
    await loadWeights(model, llama, config, await openCheckpoint(dir), { backend, dtype: 'f32' })
    const tokenizer = Tokenizer.fromFile(join(dir, 'tokenizer.json'))
    const { layers, kvHeads, headDim } = config
    const cache = new PagedKvCache(backend, { layers, kvHeads, headDim, dtype: 'f32', pages: 8 })
    const sequence = cache.add()
    const ids = [1]
    let text = ''
    while (text.length < story.length && ids.length < 200) {
      const logits = await scope(() =>
        noGrad(() => {
          const step = cache.step([[sequence, 1]])
          const { positions, segments, maxPosition } = step
          const last = tensor(backend, ids.slice(-1), [1], 'i32')
          return model.lmHead
            .call(model.call({ ids: last, positions, segments, kv: step, maxPosition }))
            .read()
        }),
      )
      ids.push(logits.indexOf(Math.max(...logits)))
      text = await tokenizer.decode(ids, true)
    }
    expect(text.slice(0, story.length)).toBe(story)
    cache.release()
    model.release()
    expect(backend.memory().buffers).toBe(0)
  })

  test('tokenises as merging by best score does', async () => {
    const pieces = readPieces(await readFile(join(source, 'tok512.bin')), 512)
    const tokenizer = Tokenizer.fromFile(join(dir, 'tokenizer.json'))
    const ids = new Map(pieces.map(({ bytes }, id) => [bytes.toString('utf8'), id]))
    /** SentencePiece's own procedure: the adjacent pair whose piece has the best score is merged, until none is a piece. */
    const byScore = (text: string): number[] => {
      let parts = Array.from(` ${text}`).flatMap((character) => {
        if (ids.has(character)) return [{ text: character, id: ids.get(character)! }]
        return [...Buffer.from(character)].map((byte) => ({ text: '\0', id: byte + 3 }))
      })
      for (;;) {
        let best = -1
        let bestScore = -Infinity
        for (let i = 0; i + 1 < parts.length; i++) {
          const id = ids.get(parts[i]!.text + parts[i + 1]!.text)
          if (id !== undefined && pieces[id]!.score > bestScore) [best, bestScore] = [i, pieces[id]!.score]
        }
        if (best < 0) return parts.map(({ id }) => id)
        const merged = parts[best]!.text + parts[best + 1]!.text
        parts = [...parts.slice(0, best), { text: merged, id: ids.get(merged)! }, ...parts.slice(best + 2)]
      }
    }
    for (const text of [story, 'Ünïcode 苹果 🍎!', 'the  double  space', 'A\nB\tC', 'zzzz QQ 0123']) {
      const encoded = await tokenizer.encode(text, null, { addSpecialTokens: false })
      expect(encoded.getIds(), text).toEqual(byScore(text))
      expect(await tokenizer.decode(encoded.getIds(), true)).toBe(text)
    }
    expect((await tokenizer.encode('a')).getIds()[0]).toBe(1)
  })
})

test('files that are too short or too long are refused', () => {
  const header = Buffer.alloc(28)
  for (const [i, value] of [4, 8, 1, 2, 1, 3, 2].entries()) header.writeInt32LE(value, i * 4)
  // Embedding, norms, q, k, v, o, feed-forward, final norm, two tables.
  const floats = 12 + 4 + 16 + 8 + 8 + 16 + 4 + 3 * 32 + 4 + 2 * 2
  const whole = Buffer.concat([header, Buffer.alloc(floats * 4)])
  expect(readWeights(whole).tensors.size).toBe(11)
  expect(safetensors(readWeights(whole).tensors).length % 8).toBe(0)
  expect(() => readWeights(whole.subarray(0, -4))).toThrow(/the weights end at byte/)
  expect(() => readWeights(Buffer.concat([whole, Buffer.alloc(4)]))).toThrow(/bytes, expected/)
  expect(() => readPieces(Buffer.alloc(30), 1)).toThrow(/bytes, expected/)
  const twice = [0, 1, 2, 3, 4].map(() => ({ score: 0, bytes: Buffer.from('a') }))
  expect(() => tokenizerJson(twice)).toThrow(/pieces 3 and 4/)
})
