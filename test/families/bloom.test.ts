import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  Ift,
  loadWeights,
  openAdapter,
  openCheckpoint,
  openSafetensors,
  readStored,
  type IftConfig,
  type IftPlugin,
  type Tokenizer,
} from '@ift/core'
import { openCpu, plugin as cpu } from '@ift/kernels-cpu'
import { bloom, plugin } from '@ift/model-bloom'
import { lora, plugin as loraPlugin } from '@ift/peft-lora'
import {
  backward,
  noGrad,
  ops,
  PackedKv,
  scope,
  segments,
  tensor,
  withRandom,
  type Backend,
  type CausalLM,
} from '@ift/tensor'
import { Decoder } from '../../packages/core/src/generate/decoder.js'
import { Generator } from '../../packages/core/src/generate/generator.js'

const fixture = (path: string) => fileURLToPath(new URL(`../../fixtures/bloom/${path}`, import.meta.url))
const json = (path: string) => JSON.parse(readFileSync(fixture(path), 'utf8')) as Record<string, unknown>

async function open(
  name: string,
): Promise<{ backend: Backend; model: CausalLM; shape: ReturnType<typeof bloom.shape> }> {
  const backend = openCpu({ threads: 2 })
  const config = bloom.parseConfig(json(`${name}/config.json`))
  const model = bloom.build(config)
  await loadWeights(model, bloom, config, await openCheckpoint(fixture(name)), { backend, dtype: 'f32' })
  return { backend, model, shape: bloom.shape(config) }
}

describe('greedy as Hugging Face generate', () => {
  /** Ids are what is compared: texts play no part. */
  const tokenizer = {
    decodeStream: () => ({ push: () => Promise.resolve(''), end: () => Promise.resolve('') }),
  } as unknown as Tokenizer
  const { cases } = json('greedy.json') as { cases: { model: string; prompt: number[]; ids: number[] }[] }

  test.each(cases)('$model, $prompt', async ({ model: name, prompt, ids }) => {
    const { backend, model, shape } = await open(name)
    const decoder = new Decoder(backend, model, null, shape, 'f32')
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

test('an adapter of PEFT gives its logits and gradients', async () => {
  const { tensors } = await openSafetensors(fixture('lora/golden.safetensors'))
  const bytes = async (name: string) => (await readStored(tensors.get(name)!)).slice().buffer
  const ints = async (name: string) => new Int32Array(await bytes(name))
  const floats = async (name: string) => new Float32Array(await bytes(name))
  const [ids, cu, labels] = [await ints('input_ids'), await ints('cu_seqlens'), await ints('labels')]

  const { backend, model, shape } = await open('heads-6')
  const adapter = await openAdapter(fixture('lora'))
  expect(adapter.config['target_modules']).toEqual(bloom.targetModules['lora'])
  const peft = await lora.attach(model, lora.fromAdapterConfig(adapter.config), {
    definition: bloom,
    shape,
    backend,
    dtype: 'f32',
    seed: 1,
    baseModel: 'heads-6',
  })
  await peft.load(adapter)

  const lengths = Array.from(cu.subarray(1), (end, s) => end - cu[s]!)
  const targets = new Int32Array(ids.length).fill(-1)
  for (const [s, length] of lengths.entries())
    for (let i = cu[s]!; i + 1 < cu[s]! + length; i++) if (labels[i + 1]! >= 0) targets[i] = labels[i + 1]!
  const input = () => {
    const parts = segments(backend, lengths)
    const positions = Int32Array.from(lengths.flatMap((n) => Array.from({ length: n }, (_, i) => i)))
    return {
      ids: tensor(backend, ids, [ids.length], 'i32'),
      positions: tensor(backend, positions, [ids.length], 'i32'),
      segments: parts,
      kv: new PackedKv(parts),
      maxPosition: parts.max,
    }
  }
  const worst = (a: Float32Array, b: Float32Array) => {
    expect(a.length).toBe(b.length)
    return a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0)
  }

  const logits = noGrad(() => scope(() => model.lmHead.call(model.call(input()))))
  expect(worst(await logits.read(), await floats('logits'))).toBeLessThan(1e-4)
  logits.release()

  peft.setTraining(true)
  const gradScale = 1 / targets.filter((target) => target >= 0).length
  const loss = withRandom({ seed: 0, step: 0, micro: 0 }, () =>
    scope(() => {
      const goal = tensor(backend, targets, [targets.length], 'i32')
      const result = ops.linearCrossEntropy(model.call(input()), model.lmHead, goal, { gradScale })
      backward(result)
      return result
    }),
  )
  expect((await loss.read())[0]).toBeCloseTo((await floats('loss'))[0]!, 4)
  loss.release()
  let compared = 0
  for (const { name, parameter } of peft.trainable()) {
    const expected = [...tensors.keys()].filter(
      (key) => key.startsWith('grad.') && key.includes(name.replace(/\.weight$/, '')),
    )
    expect(expected, name).toHaveLength(1)
    expect(worst(await parameter.grad!.read(), await floats(expected[0]!)), name).toBeLessThan(1e-4)
    compared++
  }
  expect(compared).toBe([...tensors.keys()].filter((key) => key.startsWith('grad.')).length)
  peft.release()
  model.release()
  backend.close()
})

describe('a session', () => {
  const dir = mkdtempSync(join(tmpdir(), 'ift-bloom-'))
  const plugins = [cpu as unknown as IftPlugin, plugin, loraPlugin]
  const words = ['number', 'story', 'door', 'question', 'answer', 'robot']
  const config = (output: string, more: Partial<IftConfig> = {}): IftConfig => ({
    model: 'auto',
    weights: fixture('tiny'),
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
    expect(await names(join(dir, 'merged'))).toEqual(await names(fixture('tiny')))
    const after = await session(config('unused', { weights: join(dir, 'merged') }), answer)
    expect(after.text).toBe(before.text)
    for (let i = 1; i < ids.length; i++) expect(after.scores[i]).toBeCloseTo(before.scores[i]!, 4)
  })

  test('trains every parameter and keeps the names', async () => {
    const losses = await train(config('full', { peft: { method: 'none' } }))
    expect(losses.at(-1)).toBeLessThan(losses[0]! - 0.3)
    expect(await names(join(dir, 'full/model'))).toEqual(await names(fixture('tiny')))
  })

  test('a tokenizer of another model is refused', async () => {
    const wrong = config('wrong', { weights: fixture('heads-6'), tokenizer: fixture('tiny') })
    await expect(session(wrong, (ift) => ift.openModel())).rejects.toMatchObject({
      code: 'IFT_TOKENIZER_MISMATCH',
    })
  })
})
