import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  Ift,
  loadWeights,
  openCheckpoint,
  openSafetensors,
  type IftConfig,
  type IftPlugin,
  type Tokenizer,
} from '@ift/core'
import { openCpu, plugin as cpu } from '@ift/kernels-cpu'
import { gptj, moss, plugin } from '@ift/model-moss'
import { plugin as lora } from '@ift/peft-lora'
import { Decoder } from '../../packages/core/src/generate/decoder.js'
import { Generator } from '../../packages/core/src/generate/generator.js'

const fixture = (path: string) => fileURLToPath(new URL(`../../fixtures/moss/${path}`, import.meta.url))
const json = (path: string) => JSON.parse(readFileSync(fixture(path), 'utf8')) as Record<string, unknown>

describe('greedy as Hugging Face generate', () => {
  /** Ids are what is compared: texts play no part. */
  const tokenizer = {
    decodeStream: () => ({ push: () => Promise.resolve(''), end: () => Promise.resolve('') }),
  } as unknown as Tokenizer
  const { cases } = json('greedy.json') as { cases: { model: string; prompt: number[]; ids: number[] }[] }

  test.each(cases)('$model, $prompt', async ({ model: name, prompt, ids }) => {
    const definition = name === 'gptj' ? gptj : moss
    const backend = openCpu({ threads: 2 })
    const config = definition.parseConfig(json(`${name}/config.json`))
    const model = definition.build(config)
    const source = await openCheckpoint(fixture(name))
    await loadWeights(model, definition, config, source, { backend, dtype: 'f32' })
    const decoder = new Decoder(backend, model, null, definition.shape(config), 'f32')
    const parts = { decoder, tokenizer, ends: new Set<number>(), stop: [], maxPositions: null, tap: null }
    const generator = new Generator(parts)
    const found = await generator.generate(prompt, { doSample: false, maxNewTokens: ids.length })
    expect([...found.ids]).toEqual(ids)
    decoder.release()
    model.release()
    expect(backend.memory().buffers).toBe(0)
    backend.close()
  })
})

describe.each([
  ['moss', 'codegen', ['qkv_proj']],
  ['gptj', 'gptj', ['q_proj', 'v_proj']],
])('a session with %s', (family, base, targets) => {
  const dir = mkdtempSync(join(tmpdir(), 'ift-moss-'))
  const plugins = [cpu as unknown as IftPlugin, plugin, lora]
  const config = (output: string, more: Partial<IftConfig> = {}): IftConfig => ({
    model: 'auto',
    weights: join(dir, 'base'),
    // vocab.json and merges.txt
    tokenizer: fileURLToPath(new URL('../../examples/plugin-model/fixtures/gpt2-tiny', import.meta.url)),
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
  async function session<T>(options: IftConfig, run: (ift: Ift) => Promise<T>): Promise<T> {
    const ift = await Ift.load({ cwd: dir, config: options, plugins })
    try {
      return await run(ift)
    } finally {
      await ift.close()
    }
  }
  const train = async (options: IftConfig) => {
    await session(options, async (ift) => (await ift.createTraining({})).run())
    const lines = readFileSync(join(dir, options.output!, 'metrics.jsonl'), 'utf8')
      .trim()
      .split('\n')
    return lines.map((line) => (JSON.parse(line) as { values: { loss: number } }).values.loss)
  }

  beforeAll(() => {
    const rows = ['soup', 'bread', 'salad', 'rice', 'tea', 'cake', 'stew', 'jam'].map((word) => ({
      instruction: `Cook ${word}.`,
      input: '',
      output: `the ${word}`,
    }))
    mkdirSync(join(dir, 'base'))
    writeFileSync(join(dir, 'rows.jsonl'), rows.map((row) => JSON.stringify(row)).join('\n') + '\n')
    const changed = { ...json(`${base}/config.json`), vocab_size: 320, n_positions: 256 }
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
