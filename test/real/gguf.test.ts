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

/** Of every position: logits of the tokens that were picked, the largest, and the logarithm of the sum of all exponentials. */
interface Scores {
  readonly logits: number[][]
  readonly largest: number[]
  readonly log_sum: number[]
}

interface Reference {
  /** By transformers in float32, and `exact` by a forward pass in float64. */
  readonly rows: readonly (Scores & {
    readonly ids: number[]
    readonly picked: number[]
    readonly exact: Scores
  })[]
  readonly ids: string[]
  readonly lines?: number
  readonly texts?: string[]
}

const lines = readJson(fixture('real-tokenizers/lines.json')) as string[]
/** Largest differences of logits and of log-probabilities. */
function apartBy(a: Scores, b: Scores): { readonly logits: number; readonly logProbs: number } {
  let [logits, logProbs] = [0, 0]
  for (const [at, row] of a.logits.entries())
    for (const [one, other] of [...row, a.largest[at]!].map(
      (one, i) => [one, b.logits[at]![i] ?? b.largest[at]!] as const,
    )) {
      logits = Math.max(logits, Math.abs(one - other))
      logProbs = Math.max(logProbs, Math.abs(one - a.log_sum[at]! - (other - b.log_sum[at]!)))
    }
  return { logits, logProbs }
}

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
      const config: IftConfig = { weights: file!, device: 'cpu', threads: 2, dtype: 'f32', quantize: 'none' }
      return session(config, async (ift) => {
        const start = performance.now()
        const { model, backend, tokenizer, template } = await ift.openModel()
        const opened = (performance.now() - start) / 1000

        const most = { ours: [0, 0], exact: [0, 0], theirs: [0, 0] }
        let positions = 0
        for (const { ids, picked, exact, ...theirs } of reference.rows) {
          const found = await logitsOf(model, () => packedInput(backend, model, [ids]))
          const vocab = found.length / ids.length
          const rows = ids.map((_, at) => found.subarray(at * vocab, (at + 1) * vocab))
          const largest = rows.map((row) => row.reduce((a, b) => Math.max(a, b)))
          const own: Scores = {
            logits: rows.map((row) => picked.map((id) => row[id]!)),
            largest,
            log_sum: rows.map(
              (row, at) => largest[at]! + Math.log(row.reduce((a, b) => a + Math.exp(b - largest[at]!), 0)),
            ),
          }
          for (const [what, { logits, logProbs }] of [
            ['ours', apartBy(own, theirs)],
            ['exact', apartBy(own, exact)],
            ['theirs', apartBy(theirs, exact)],
          ] as const)
            most[what] = [Math.max(most[what][0]!, logits), Math.max(most[what][1]!, logProbs)]
          positions += ids.length
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
        const shown = (what: keyof typeof most) => most[what].map((one) => one.toExponential(1)).join(' and ')
        console.log(
          `${name}: open in ${opened.toFixed(1)} s; logits and log-probabilities at ${positions} positions are within ${shown('ours')} of transformers', ` +
            `within ${shown('exact')} of those in float64, which transformers' are within ${shown('theirs')} of; ` +
            `${lines.length} lines and ${chats} conversations, ${different.length} different`,
        )
        expect(different).toEqual([])
        // Both round in float32, each in another order.
        for (const one of most.exact) expect(one).toBeLessThan(1e-4)
        for (const one of most.ours) expect(one).toBeLessThan(2.5e-4)
      })
    },
  )
})
