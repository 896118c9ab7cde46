import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import type { IftConfig, Message } from '@ift/core'
import { logitsOf, packedInput } from '@ift/core/testing'
import { realModel } from '../../scripts/real-models/cache.mjs'
import { fixture, readJson } from '../fixture/files.js'
import { pluginsOf } from '../fixture/models.js'
import { sessionsIn } from '../fixture/session.js'

// Published GGUF files beside transformers, which dequantised the same: scripts/reference/make_gguf_real.py.

interface Reference {
  readonly rows: readonly {
    readonly ids: number[]
    readonly picked: number[]
    readonly logits: number[][]
    readonly largest: number[]
    readonly log_sum: number[]
  }[]
  readonly ids: string[]
  readonly lines?: number
  readonly texts?: string[]
}

const lines = readJson(fixture('real-tokenizers/lines.json')) as string[]
const digest = (text: string) => createHash('sha256').update(text, 'utf8').digest('hex').slice(0, 24)

/**
 * What a GGUF file and the tokenizer.json beside a Gemma give other ids for: the mark of a blank written in a text, and the token of
 * images, which the file leaves out.
 */
const apart = /▁|<image_soft_token>/

const turns = [
  'What is 2 + 2?',
  ' 4 ',
  'Naïve café — 𝒜!\n\n\tIndented',
  '你好，世界',
  '{{ not }} {% a %} template',
  '<|im_end|> as text',
  '',
]

/** The same as in the script. */
function conversations(some: readonly string[]): Message[][] {
  const made: Message[][] = [...turns, ...some].map((content) => [{ role: 'user', content }])
  for (let i = 0; i < some.length - 3; i += 9) {
    made.push(
      some.slice(i, i + 3).map((content, j) => ({ role: j % 2 === 0 ? 'user' : 'assistant', content })),
    )
    made.push([
      { role: 'system', content: some[i]! },
      { role: 'user', content: some[i + 1]! },
    ])
  }
  return made
}

const dir = mkdtempSync(join(tmpdir(), 'ift-real-gguf-'))
afterAll(() => {
  rmSync(dir, { recursive: true })
})
const session = sessionsIn(dir, await pluginsOf(/^(kernels-cpu|model-(llama|gemma))$/))
const minutes = 10 * 60_000

// Gemma 3 is larger than what `npm test` fetches.
const larger = ['gemma3-270m'].filter((name) => realModel(name) !== null)

describe.each(['smollm2-135m-instruct', ...larger])('%s', (name) => {
  const folder = realModel(name)
  const reference = readJson(fixture('real-models', `gguf-${name}.json`)) as Reference
  const file =
    folder &&
    join(
      folder,
      readdirSync(folder).find((one) => one.endsWith('.gguf'))!,
    )
  if (file === null) console.warn(`skipped: ${name} (scripts/real-models/fetch ${name})`)

  test.skipIf(file === null)(
    'logits, ids and texts of the template are those of transformers',
    { timeout: minutes },
    () => {
      const config: IftConfig = { weights: file!, device: 'cpu', threads: 2, dtype: 'f32' }
      return session(config, async (ift) => {
        const start = performance.now()
        const { model, backend, tokenizer, template } = await ift.openModel()
        const opened = (performance.now() - start) / 1000

        let [worst, furthest, positions] = [0, 0, 0]
        for (const { ids, picked, logits, largest, log_sum: sums } of reference.rows) {
          const found = await logitsOf(model, () => packedInput(backend, model, [ids]))
          const vocab = found.length / ids.length
          for (const [at, row] of logits.entries()) {
            const own = found.subarray(at * vocab, (at + 1) * vocab)
            const most = own.reduce((a, b) => Math.max(a, b))
            const sum = most + Math.log(own.reduce((a, b) => a + Math.exp(b - most), 0))
            const pairs = [...row.map((one, i) => [one, own[picked[i]!]!]), [largest[at]!, most]]
            for (const [expected, value] of pairs as [number, number][]) {
              furthest = Math.max(furthest, Math.abs(expected - value))
              worst = Math.max(worst, Math.abs(expected - sums[at]! - (value - sum)))
            }
            positions++
          }
        }
        const different: string[] = []
        for (const [i, { ids }] of (await tokenizer.encodeBatch(lines, { specials: true })).entries())
          if (digest(ids.join(' ')) !== reference.ids[i] && !apart.test(lines[i]!))
            different.push(JSON.stringify(lines[i]))

        let chats = 0
        if (reference.texts) {
          const made = conversations(lines.slice(0, reference.lines))
          for (const [i, messages] of made.entries()) {
            const text = template
              .prompt({ messages })
              .map((segment) => segment.text)
              .join('')
            if (digest(text) !== reference.texts[i]) different.push(JSON.stringify(messages))
            chats++
          }
        }
        console.log(
          `${name}: open in ${opened.toFixed(1)} s; at ${positions} positions logits within ${furthest.toExponential(1)}, log-probabilities within ${worst.toExponential(1)}; ` +
            `${lines.length} lines and ${chats} conversations, ${different.length} different`,
        )
        expect(different).toEqual([])
        expect(worst).toBeLessThan(2e-4)
        expect(furthest).toBeLessThan(3e-4)
      })
    },
  )
})
