import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openCheckpoint, openSafetensors, type Ift, type IftConfig } from '@ift/core'
import { greedyIds } from '@ift/core/testing'
import { plugin as cpu } from '@ift/kernels-cpu'
import { bloom, plugin } from '@ift/model-bloom'
import { plugin as lora } from '@ift/peft-lora'
import { fixture, readJson } from '../fixture/files.js'
import { readGolden, worst } from '../fixture/golden.js'
import { withTiny } from '../fixture/models.js'
import { logitsOf, lossOf, withAdapter } from '../fixture/peft.js'
import { lossesOf, sessionsIn } from '../fixture/session.js'

describe('greedy as Hugging Face generate', () => {
  const { cases } = readJson(fixture('bloom/greedy.json')) as {
    cases: { model: string; prompt: number[]; ids: number[] }[]
  }

  test.each(cases)('$model, $prompt', ({ model: name, prompt, ids }) =>
    withTiny(bloom, `bloom/${name}`, async ({ backend, model, shape }) => {
      expect(await greedyIds(backend, model, shape, prompt, ids.length)).toEqual(ids)
    }),
  )
})

test('an adapter of PEFT gives its logits and gradients', async () => {
  const data = await readGolden(fixture('bloom/lora/golden.safetensors'))
  const use: Parameters<typeof withAdapter>[1] = async (adapted, adapter) => {
    expect(adapter.config['target_modules']).toEqual(['query_key_value'])
    expect(worst(await logitsOf(adapted, data), data.floats.get('logits')!)).toBeLessThan(1e-4)
    expect(await lossOf(adapted, data)).toBeCloseTo(data.floats.get('loss')![0]!, 4)
    const gradients = [...data.floats.keys()].filter((name) => name.startsWith('grad.'))
    const compared = new Set<string>()
    for (const { name, parameter } of adapted.peft.trainable()) {
      const expected = gradients.filter((key) => key.includes(name.replace(/\.weight$/, '')))
      expect(expected, name).toHaveLength(1)
      expect(worst(await parameter.grad!.read(), data.floats.get(expected[0]!)!), name).toBeLessThan(1e-4)
      parameter.zeroGrad()
      compared.add(expected[0]!)
    }
    expect(compared.size).toBe(gradients.length)
  }
  await withAdapter(fixture('bloom/lora'), use, 'bloom/heads-6')
})

describe('a session', () => {
  const dir = mkdtempSync(join(tmpdir(), 'ift-bloom-'))
  const words = ['number', 'story', 'door', 'question', 'answer', 'robot']
  const config = (output: string, more: Partial<IftConfig> = {}): IftConfig => ({
    model: 'auto',
    weights: fixture('bloom/tiny'),
    device: 'cpu',
    threads: 2,
    dtype: 'f32',
    data: [join(dir, 'rows.jsonl')],
    maxLength: 256,
    peft: { method: 'lora', r: 4, dropout: 0 },
    train: { batchSize: 4, maxSteps: 12, evalEvery: 0, microBatchTokens: 1024, learningRate: 2e-2 },
    generate: { maxNewTokens: 5 },
    output,
    ...more,
  })
  const session = sessionsIn(dir, [cpu, plugin, lora])
  const train = (options: IftConfig) => session(options, async (ift) => lossesOf(await ift.createTraining()))
  const names = async (path: string) => [...(await openCheckpoint(path)).names()].sort()

  beforeAll(() => {
    const rows = words.flatMap((word) =>
      ['Say', 'Write'].map((verb) => ({ instruction: `${verb} ${word}.`, input: '', output: `the ${word}` })),
    )
    writeFileSync(join(dir, 'rows.jsonl'), rows.map((row) => JSON.stringify(row)).join('\n') + '\n')
  })
  afterAll(() => {
    rmSync(dir, { recursive: true })
  })

  test('trains LoRA, and merged the model is the same under the names of its base', async () => {
    const losses = await train(config('lora'))
    expect(losses).toHaveLength(12)
    expect(losses.at(-1)).toBeLessThan(losses[0]! - 0.3)
    const adapter = await openSafetensors(join(dir, 'lora/adapter/adapter_model.safetensors'))
    expect([...adapter.tensors.keys()].sort()).toEqual(
      [0, 1].flatMap((layer) =>
        ['A', 'B'].map(
          (part) =>
            `base_model.model.transformer.h.${layer}.self_attention.query_key_value.lora_${part}.weight`,
        ),
      ),
    )
    const prompt = { instruction: 'Say door.', input: '' }
    const using = config('unused', { adapter: join(dir, 'lora/adapter') })
    const ids = [100, 101, 102, 103]
    const answer = (ift: Ift) =>
      ift.createGenerator().then(async (generator) => ({
        text: (await generator.generate(prompt, { maxNewTokens: 5 })).text,
        scores: await generator.score(ids),
      }))
    const before = await session(using, answer)
    await session(using, (ift) => ift.merge('merged'))
    expect(await names(join(dir, 'merged'))).toEqual(await names(fixture('bloom/tiny')))
    const after = await session(config('unused', { weights: join(dir, 'merged') }), answer)
    expect(after.text).toBe(before.text)
    for (let i = 1; i < ids.length; i++) expect(after.scores[i]).toBeCloseTo(before.scores[i]!, 4)
  })

  test('trains every parameter and keeps the names', async () => {
    const losses = await train(config('full', { peft: { method: 'none' } }))
    expect(losses.at(-1)).toBeLessThan(losses[0]! - 0.3)
    expect(await names(join(dir, 'full/model'))).toEqual(await names(fixture('bloom/tiny')))
  })

  test('a tokenizer of another model is refused', async () => {
    const wrong = config('wrong', { weights: fixture('bloom/heads-6'), tokenizer: fixture('bloom/tiny') })
    await expect(session(wrong, (ift) => ift.openModel())).rejects.toMatchObject({
      code: 'IFT_TOKENIZER_MISMATCH',
    })
  })
})
