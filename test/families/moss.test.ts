import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openCheckpoint, openSafetensors, type Ift, type IftConfig } from '@ift/core'
import { greedyIds } from '@ift/core/testing'
import { plugin as cpu } from '@ift/kernels-cpu'
import { gptj, moss, plugin } from '@ift/model-moss'
import { plugin as lora } from '@ift/peft-lora'
import { fixture, readJson, readObject, root } from '../fixture/files.js'
import { withTiny } from '../fixture/models.js'
import { lossesOf, sessionsIn } from '../fixture/session.js'

describe('greedy as Hugging Face generate', () => {
  const { cases } = readJson(fixture('moss/greedy.json')) as {
    cases: { model: string; prompt: number[]; ids: number[] }[]
  }

  test.each(cases)('$model, $prompt', ({ model: name, prompt, ids }) =>
    withTiny(name === 'gptj' ? gptj : moss, `moss/${name}`, async ({ backend, model, shape }) => {
      expect(await greedyIds(backend, model, shape, prompt, ids.length)).toEqual(ids)
    }),
  )
})

describe.each([
  ['moss', 'codegen', ['qkv_proj']],
  ['gptj', 'gptj', ['q_proj', 'v_proj']],
])('a session with %s', (family, base, targets) => {
  const dir = mkdtempSync(join(tmpdir(), 'ift-moss-'))
  const config = (output: string, more: Partial<IftConfig> = {}): IftConfig => ({
    model: 'auto',
    weights: join(dir, 'base'),
    // vocab.json and merges.txt
    tokenizer: join(root, 'examples/plugin-model/fixtures/gpt2-tiny'),
    device: 'cpu',
    threads: 2,
    dtype: 'f32',
    data: [join(dir, 'rows.jsonl')],
    maxLength: 256,
    train: { batchSize: 4, maxSteps: 10, evalEvery: 0, microBatchTokens: 1024, learningRate: 2e-2 },
    generate: { maxNewTokens: 5 },
    output,
    ...more,
  })
  const session = sessionsIn(dir, [cpu, plugin, lora])
  const train = (options: IftConfig) => session(options, async (ift) => lossesOf(await ift.createTraining()))

  beforeAll(() => {
    const rows = ['soup', 'bread', 'salad', 'rice', 'tea', 'cake', 'stew', 'jam'].map((word) => ({
      instruction: `Cook ${word}.`,
      input: '',
      output: `the ${word}`,
    }))
    mkdirSync(join(dir, 'base'))
    writeFileSync(join(dir, 'rows.jsonl'), rows.map((row) => JSON.stringify(row)).join('\n') + '\n')
    const changed = { ...readObject(fixture('moss', base, 'config.json')), vocab_size: 320, n_positions: 256 }
    writeFileSync(join(dir, 'base', 'config.json'), JSON.stringify(changed))
  })
  afterAll(() => {
    rmSync(dir, { recursive: true })
  })

  test('trains every parameter, then LoRA, and merged the model is the same', async () => {
    const whole = await train(config('full', { initialize: true, peft: { method: 'none' } }))
    expect(whole.at(-1)).toBeLessThan(whole[0]! - 0.3)
    const weights = join(dir, 'full', 'model')
    await train(config('lora', { weights, peft: { method: 'lora', r: 4, dropout: 0 } }))
    const adapter = join(dir, 'lora', 'adapter')
    const { tensors } = await openSafetensors(join(adapter, 'adapter_model.safetensors'))
    const modules = new Set([...tensors.keys()].map((name) => name.split('.').at(-3)))
    expect([...modules].sort()).toEqual(targets)

    const ids = [100, 101, 102, 103]
    const prompt = { instruction: 'Cook tea.', input: '' }
    const answer = (ift: Ift) =>
      ift.createGenerator().then(async (generator) => ({
        text: (await generator.generate(prompt, { maxNewTokens: 5 })).text,
        scores: await generator.score(ids),
      }))
    const using = config('unused', { weights, adapter })
    const before = await session(using, answer)
    expect(await session(using, async (ift) => (await ift.openModel()).definition.name)).toBe(family)
    await session(using, (ift) => ift.merge('merged'))
    const names = async (path: string) => [...(await openCheckpoint(path)).names()].sort()
    expect(await names(join(dir, 'merged'))).toEqual(await names(weights))
    const after = await session(config('unused', { weights: join(dir, 'merged') }), answer)
    expect(after.text).toBe(before.text)
    for (let i = 1; i < ids.length; i++) expect(after.scores[i]).toBeCloseTo(before.scores[i]!, 4)
  })
})
