import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import type { IftConfig } from '@ift/core'
import { plugin as cpu } from '@ift/kernels-cpu'
import { chatglmTokenizer, plugin as chatglm } from '@ift/model-chatglm'
import { plugin as lora } from '@ift/peft-lora'
import { fixture } from '../fixture/files.js'
import { metricsOf, sessionsIn, trainsIn } from '../fixture/session.js'

/** Tiny models in the published layout of each version: config.json, tokenizer files, random weights. */
const versions = ['chatglm1', 'chatglm2', 'chatglm3', 'glm4'] as const
type Version = (typeof versions)[number]

const dir = mkdtempSync(join(tmpdir(), 'ift-chatglm-'))
afterAll(() => {
  rmSync(dir, { recursive: true })
})

const records = [
  { instruction: 'the teacher', input: '', output: '老师写了一个故事。' },
  { instruction: '请解释', input: 'x\n  y', output: 'def f(x):\n    return x + 1' },
  { instruction: 'go on', input: '', output: 'a short story', history: [['the robot', 'counts']] },
  { instruction: '今天的天气', input: '', output: '很好。' },
]

async function folderOf(version: Version): Promise<string> {
  const folder = join(dir, version)
  mkdirSync(folder, { recursive: true })
  cpSync(fixture('chat', version), folder, { recursive: true })
  const { vocabSize, specials, eosId } = await chatglmTokenizer.load(folder)
  const vocab = Math.ceil(vocabSize / 8) * 8
  const shared = { architectures: ['ChatGLMModel'], model_type: 'chatglm', num_layers: 2, hidden_size: 48 }
  const own =
    version === 'chatglm1'
      ? {
          vocab_size: vocab,
          inner_hidden_size: 64,
          num_attention_heads: 3,
          max_sequence_length: 256,
          position_encoding_2d: true,
          bos_token_id: specials.get('<sop>'),
          gmask_token_id: specials.get('[gMASK]'),
          mask_token_id: specials.get('[MASK]'),
          eos_token_id: eosId,
        }
      : {
          padded_vocab_size: vocab,
          ffn_hidden_size: 64,
          num_attention_heads: 6,
          kv_channels: 8,
          multi_query_attention: true,
          multi_query_group_num: 2,
          add_qkv_bias: true,
          seq_length: 256,
          eos_token_id: eosId,
        }
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...shared, ...own }))
  writeFileSync(join(folder, 'generation_config.json'), '{"eos_token_id": [2], "top_p": 0.8}')
  writeFileSync(join(dir, 'data.jsonl'), records.map((record) => JSON.stringify(record)).join('\n'))
  return folder
}

const config = (weights: string, output: string, more: Partial<IftConfig> = {}): IftConfig => ({
  weights,
  initialize: true,
  device: 'cpu',
  threads: 2,
  dtype: 'f32',
  data: [join(dir, 'data.jsonl')],
  maxLength: 200,
  train: { maxSteps: 4, saveEvery: 2, evalEvery: 0, microBatchTokens: 320 },
  output,
  ...more,
})

const session = sessionsIn(dir, [cpu, chatglm, lora])
const train = trainsIn(session)

const read = (...path: string[]) => readFileSync(join(dir, ...path))
const json = (...path: string[]) => JSON.parse(read(...path).toString()) as Record<string, unknown>
const asked = [
  { messages: [{ role: 'user', content: 'the teacher counts' }] },
  {
    messages: [
      { role: 'user', content: 'the robot' },
      { role: 'assistant', content: 'counts' },
      { role: 'user', content: '三个\n苹果' },
    ],
  },
] as const

describe.each(versions)('%s', (version) => {
  test('trains by its recipe, resumes and recomputes in the same bytes, generates, merges', async () => {
    const weights = await folderOf(version)
    const run = (name: string) => `${version}-${name}`
    const bytes = (name: string) => read(run(name), 'adapter', 'adapter_model.safetensors')

    await train(config(weights, run('lora')))
    const manifest = json(run('lora'), 'manifest.json')
    expect(manifest['recipe']).toContain('train.learningRate: 0.00002')
    expect(manifest['config']).toMatchObject({
      train: { learningRate: 2e-5, batchSize: 64, epochs: 1 },
      peft: { method: 'lora', r: 32, alpha: 32, dropout: 0.1 },
    })
    expect(json(run('lora'), 'adapter', 'adapter_config.json')).toMatchObject({
      r: 32,
      lora_alpha: 32,
      target_modules: ['query_key_value'],
    })
    expect(json(run('lora'), 'adapter', 'ift.json')['template']).toBe(version)

    await train(config(weights, run('cut')), { stopAfter: 2 })
    await train(config(weights, run('cut')), { resume: true })
    expect(bytes('cut').equals(bytes('lora'))).toBe(true)
    const train_ = { ...config(weights, '').train, recompute: 'all' as const }
    await train(config(weights, run('recomputed'), { train: train_ }))
    expect(bytes('recomputed').equals(bytes('lora'))).toBe(true)

    const adapter = join(dir, run('lora'), 'adapter')
    const text = 'the teacher writes a short story'
    const used = await session(config(weights, run('use'), { adapter }), async (ift) => {
      const open = await ift.openModel()
      expect(open.template.name).toBe(version)
      const generator = await ift.createGenerator(open)
      const options = { maxNewTokens: 6, doSample: false } as const
      const alone = []
      for (const prompt of asked) alone.push((await generator.generate(prompt, options)).ids)
      // Prompts of different lengths side by side.
      const together = await generator.generateAll(asked, options, { batch: 2 })
      expect(together.map(({ ids }) => ids)).toEqual(alone)
      const sampled = { ...options, doSample: true, temperature: 1, topP: 0.9, seed: 3 }
      const [once, again] = [
        await generator.generate(asked[1], sampled),
        await generator.generate(asked[1], sampled),
      ]
      expect(once.ids).toEqual(again.ids)
      const beams = await generator.generate(asked[0], { ...options, numBeams: 3 })
      expect(beams.ids.length).toBeGreaterThan(0)
      // A text alone stands between the tokens that the family puts around a prompt.
      const ids = await generator.encode(text)
      const { before, after } = open.tokenizer.frame!
      const plain = (await open.tokenizer.encode(text)).ids
      expect([...ids]).toEqual([...before, ...plain, ...after])
      await ift.merge(join(dir, run('merged')))
      const whole = await generator.encodeText(text)
      expect([...whole]).toEqual([...before, ...after, ...plain])
      return { ids, alone, score: await generator.score(whole), whole, eosId: open.tokenizer.eosId! }
    })

    const merged = config(join(dir, run('merged')), run('again'), { initialize: false })
    expect(json(run('merged'), 'ift.json')['template']).toBe(version)
    // What is there is kept, and what answers were learned to end with is added.
    expect(json(run('merged'), 'generation_config.json')).toEqual({
      eos_token_id: [...new Set([2, used.eosId])],
      top_p: 0.8,
    })
    // Without the record the files of the model decide, as for a published one.
    rmSync(join(dir, run('merged'), 'ift.json'))
    await session(merged, async (ift) => {
      const open = await ift.openModel()
      // The template is found again from what was saved.
      expect(open.template.name).toBe(version)
      const generator = await ift.createGenerator(open)
      expect(await generator.encode(text)).toEqual(used.ids)
      for (const [i, score] of (await generator.score(used.whole)).entries())
        if (score !== null) expect(score).toBeCloseTo(used.score[i]!, 4)
      const { ids } = await generator.generate(asked[1], { maxNewTokens: 6, doSample: false })
      expect(ids).toEqual(used.alone[1])
    })
  })

  test('trains whole, and what is saved goes on', async () => {
    const weights = await folderOf(version)
    const options = { maxSteps: 2, evalEvery: 0, microBatchTokens: 320, learningRate: 1e-2 }
    const result = await train(
      config(weights, `${version}-full`, { peft: { method: 'none' }, train: options }),
    )
    expect(result.steps).toBe(2)
    const saved = join(dir, `${version}-full`, 'model')
    const before = { ...config(weights, 'x'), peft: { method: 'none' } }
    const scoreOf = (of: IftConfig) =>
      session(of, async (ift) => {
        const generator = await ift.createGenerator()
        return generator.score(await generator.encodeText('a short story'))
      })
    const after = await scoreOf({ ...before, weights: saved, initialize: false })
    expect(after).not.toEqual(await scoreOf(before))
    expect(after.slice(1).every((score) => Number.isFinite(score))).toBe(true)
  })
})

test('ChatGLM-6B in bf16 costs what it costs in f32, to the rounding', async () => {
  const weights = await folderOf('chatglm1')
  const scoresOf = (dtype: 'f32' | 'bf16') =>
    session({ ...config(weights, 'x'), dtype }, async (ift) => {
      const generator = await ift.createGenerator()
      const scores = await generator.score(await generator.encode(asked[1]))
      return scores.slice(1).map(Number)
    })
  const [exact, rounded] = [await scoresOf('f32'), await scoresOf('bf16')]
  const largest = Math.max(...exact.map((score, i) => Math.abs(score - rounded[i]!)))
  expect(largest).toBeGreaterThan(0)
  expect(largest).toBeLessThan(2e-2)
  const options = { dtype: 'bf16' as const, train: { maxSteps: 2, evalEvery: 0 } }
  await train(config(weights, 'bf16', options))
  const losses = metricsOf(join(dir, 'bf16')).map(({ values }) => values['loss']!)
  expect(losses).toHaveLength(2)
  // Near chance at the start: ln of the vocabulary.
  for (const loss of losses) expect(Math.abs(loss - Math.log(552))).toBeLessThan(1)
})

test('ChatGLM-6B refuses a tokenizer whose [gMASK] or <sop> is not the one of config.json', async () => {
  const weights = await folderOf('chatglm1')
  const own = json('chatglm1', 'config.json')
  const open = () => session(config(weights, 'x'), (ift) => ift.openModel().then(() => undefined))
  try {
    for (const [field, token] of [
      ['gmask_token_id', '[gMASK]'],
      ['bos_token_id', '<sop>'],
    ] as const) {
      writeFileSync(join(weights, 'config.json'), JSON.stringify({ ...own, [field]: 20 }))
      await expect(open()).rejects.toMatchObject({
        code: 'IFT_TOKENIZER_MISMATCH',
        message: expect.stringContaining(
          `config.json: ${field} is 20, the tokenizer's ${token} is ${String(own[field])}`,
        ) as string,
      })
    }
  } finally {
    writeFileSync(join(weights, 'config.json'), JSON.stringify(own))
  }
  // That of ChatGLM3 has no <sop> at all.
  const other = await folderOf('chatglm3')
  await expect(
    session({ ...config(weights, 'x'), tokenizer: other }, (ift) => ift.openModel()),
  ).rejects.toMatchObject({ code: 'IFT_TOKENIZER_MISMATCH' })
})

test('a model remembers the template that it was trained with', async () => {
  const weights = await folderOf('chatglm3')
  const more = { template: 'alpaca', peft: { method: 'none' }, train: { maxSteps: 1, evalEvery: 0 } }
  await train(config(weights, 'alpaca', more))
  const saved = config(join(dir, 'alpaca', 'model'), 'x', { initialize: false })
  await session(saved, async (ift) => {
    expect((await ift.openModel()).template.name).toBe('alpaca')
  })
  await session({ ...saved, template: 'chatglm3' }, async (ift) => {
    expect((await ift.openModel()).template.name).toBe('chatglm3')
  })
})

test('an adapter goes on with its own rank, and what the user sets wins over the recipe', async () => {
  const weights = await folderOf('chatglm3')
  const more = { peft: { method: 'lora', r: 4 }, train: { maxSteps: 1, evalEvery: 0, learningRate: 1e-3 } }
  await train(config(weights, 'own', more))
  expect(json('own', 'adapter', 'adapter_config.json')).toMatchObject({ r: 4, lora_alpha: 16 })
  const adapter = join(dir, 'own', 'adapter')
  await train(config(weights, 'on', { adapter, train: { maxSteps: 1, evalEvery: 0 } }))
  expect(json('on', 'adapter', 'adapter_config.json')).toMatchObject({ r: 4, lora_alpha: 16 })
  expect(json('on', 'manifest.json')['recipe']).not.toContain('peft.r: 32')
})
