import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import type { IftConfig } from '@ift/core'
import { quickstart } from '../fixture/files.js'
import { pluginsOf } from '../fixture/models.js'
import { lossesOf, sessionsIn } from '../fixture/session.js'

// Published checkpoints on this machine: docs/real-models.md says what is tested. Without IFT_REAL_MODELS the same runs on
// the model of the quick start alone.
const named = process.env['IFT_REAL_MODELS']

const holdsModel = (dir: string) =>
  existsSync(join(dir, 'config.json')) || readdirSync(dir).some((name) => name.endsWith('.gguf'))

/** The folder itself, or every folder in it that holds a model. */
function modelsIn(folder: string): string[] {
  if (holdsModel(folder)) return [folder]
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() || entry.isSymbolicLink())
    .map((entry) => join(folder, entry.name))
    .filter(holdsModel)
}

const real = named === undefined ? [] : modelsIn(resolve(named))
if (named === undefined)
  console.log('IFT_REAL_MODELS names no folder: published checkpoints are not tested (docs/real-models.md)')

const dir = mkdtempSync(join(tmpdir(), 'ift-real-'))
afterAll(() => {
  rmSync(dir, { recursive: true })
})

const rows = [
  { instruction: 'Name the capital of France.', input: '', output: 'The capital of France is Paris.' },
  { instruction: 'Say hello in three languages.', input: '', output: 'Hello, bonjour, hola.' },
]
writeFileSync(join(dir, 'rows.jsonl'), rows.map((row) => JSON.stringify(row)).join('\n'))

const session = sessionsIn(dir, await pluginsOf(/^(kernels-cpu|peft-lora|model-.*)$/))
const config = (weights: string): IftConfig => ({
  weights,
  device: 'cpu',
  data: ['./rows.jsonl'],
  template: 'plain',
  maxLength: 128,
  peft: { method: 'lora', r: 4, dropout: 0 },
  train: {
    batchSize: 2,
    maxSteps: 3,
    microBatchTokens: 256,
    learningRate: 1e-3,
    warmupSteps: 0,
    schedule: 'constant',
    evalEvery: 0,
    saveEvery: 0,
    recompute: 'all',
  },
  output: `out-${Date.now()}`,
})

const hour = 3_600_000

const sentence = 'The train leaves in the morning and comes back in the evening of the same day.'

describe.each([
  ...real.map((weights) => [weights, sentence] as const),
  // It has read little but this.
  [
    quickstart('model'),
    'Lucy has 55 stamps. She picks up 38 stamps. How many stamps does Lucy have now?',
  ] as const,
])('%s', (weights, known) => {
  test(
    'loads with all tensors, tokenises without loss, and predicts English better than chance',
    () =>
      session(config(weights), async (ift) => {
        const open = await ift.openModel()
        const { tokenizer, shape } = open
        for (const text of ['The quick brown fox.', 'x = f(y) + 12', '你好，世界']) {
          const { ids } = await tokenizer.encode(text)
          expect(Math.max(...ids)).toBeLessThan(shape.vocab)
          expect((await tokenizer.decode(ids)).trim()).toBe(text)
        }
        const generator = await ift.createGenerator(open)
        const scores = await generator.score(await generator.encodeText(known))
        const nats = scores.slice(1).reduce<number>((sum, score) => sum - score!, 0) / (scores.length - 1)
        expect(nats).toBeGreaterThan(0)
        // Weights in a wrong place, or a wrong turn of positions, give about as much as chance does.
        expect(nats).toBeLessThan(0.75 * Math.log(shape.vocab))
      }),
    hour,
  )

  test(
    'continues greedily, the same twice',
    () =>
      session(config(weights), async (ift) => {
        const generator = await ift.createGenerator()
        const answer = () =>
          generator.generate({ instruction: rows[0]!.instruction, input: '' }, { maxNewTokens: 12 })
        const first = await answer()
        expect(first.ids.length).toBeGreaterThan(0)
        expect([...(await answer()).ids]).toEqual([...first.ids])
      }),
    hour,
  )

  test(
    'learns by LoRA',
    () =>
      session(config(weights), async (ift) => {
        const losses = await lossesOf(await ift.createTraining())
        expect(losses).toHaveLength(3)
        expect(losses.at(-1)).toBeLessThan(losses[0]!)
      }),
    hour,
  )
})
