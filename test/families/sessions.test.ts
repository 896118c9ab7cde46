import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { loadConfigFile, openCheckpoint, type Ift, type IftConfig } from '@ift/core'
import { fixture, readObject, root } from '../fixture/files.js'
import { pluginsOf } from '../fixture/models.js'
import { lossesOf, sessionsIn, trainsIn } from '../fixture/session.js'

// What a user does with a model, on the smallest one of each family with a tokenizer in the files of that family.

const plugins = await pluginsOf(/^(kernels-cpu|peft-lora|model-.*)$/)

const families: readonly (readonly [config: string, tokenizer: string, template: string])[] = [
  ['llama-tiny', 'family-tokenizers/llama', 'alpaca'],
  ['qwen/qwen2', 'family-tokenizers/qwen', 'chatml'],
  ['qwen/qwen3', 'family-tokenizers/qwen-vocab', 'chatml'],
  ['bloom/tiny', 'bloom/tiny', 'belle'],
  ['moss/codegen', 'family-tokenizers/moss', 'alpaca'],
  ['moss/codegen-whole', 'chat/moss', 'moss'],
  ['moss/gptj', 'family-tokenizers/moss', 'alpaca'],
  ['baichuan/rotary', 'family-tokenizers/baichuan', 'alpaca'],
  ['baichuan/alibi-norm-head', 'family-tokenizers/baichuan', 'alpaca'],
  ['baichuan/alibi', 'chat/baichuan', 'baichuan'],
  ['baichuan/rotary-norm-head', 'chat/baichuan2', 'baichuan2'],
  ['internlm/internlm', 'family-tokenizers/internlm', 'alpaca'],
  ['internlm/internlm-dynamic', 'chat/internlm', 'internlm'],
  ['internlm/internlm2', 'family-tokenizers/internlm2', 'alpaca'],
  ['internlm/internlm2-dynamic', 'chat/internlm2', 'chatml'],
  ['chatglm/chatglm1', 'chat/chatglm1', 'chatglm1'],
  ['chatglm/chatglm2', 'chat/chatglm2', 'chatglm2'],
  ['chatglm/chatglm3-long', 'chat/chatglm3', 'chatglm3'],
  ['chatglm/chatglm2', 'chat/glm4', 'glm4'],
  ['chatglm/glm', 'chat/glm4-hf', 'glm4'],
  ['chatglm/glm4', 'chat/glm4-hf', 'glm4'],
  ['chatglm/glm4-plain', 'family-tokenizers/internlm2', 'vicuna'],
  ['gemma/gemma', 'family-tokenizers/gemma', 'alpaca'],
  ['gemma/gemma3', 'family-tokenizers/gemma', 'chat'],
  ['phi/plain', 'family-tokenizers/phi', 'alpaca'],
  ['phi/grouped', 'family-tokenizers/phi', 'chat'],
]

const tokenizerFiles =
  /^(tokenizer.*|ice_text\.model|vocab\.json|merges\.txt|added_tokens\.json|special_tokens_map\.json|chat_template\.jinja)$/
/** Fields that bound the length, by any of their names. */
const lengths = [
  'max_position_embeddings',
  'n_positions',
  'model_max_length',
  'sliding_window',
  'original_max_position_embeddings',
  'max_sequence_length',
  'seq_length',
]
/** Fields that are the rows of the embedding. */
const rowsOf = (json: Readonly<Record<string, unknown>>, rows: number) => ({
  ['padded_vocab_size' in json ? 'padded_vocab_size' : 'vocab_size']: rows,
})

const dir = mkdtempSync(join(tmpdir(), 'ift-families-'))
afterAll(() => {
  rmSync(dir, { recursive: true })
})
writeFileSync(
  join(dir, 'rows.jsonl'),
  ['soup', 'bread', 'salad', 'rice']
    .map((word) => JSON.stringify({ instruction: `Cook ${word}.`, input: '', output: `the ${word}` }))
    .join('\n'),
)

const session = sessionsIn(dir, plugins)
const train = trainsIn(session)

describe.each(families)('%s with the tokenizer of %s', (config, tokenizer, template) => {
  const name = `${config}-${template}`.replaceAll('/', '-')
  const base = join(dir, name, 'base')
  const options = (output: string, more: Partial<IftConfig> = {}, maxSteps = 4): IftConfig => ({
    model: 'auto',
    weights: base,
    device: 'cpu',
    threads: 2,
    dtype: 'f32',
    template,
    data: ['./rows.jsonl'],
    // What MOSS begins with is a thousand tokens of a small vocabulary.
    maxLength: 2048,
    train: {
      batchSize: 4,
      maxSteps,
      evalEvery: 0,
      saveEvery: 0,
      microBatchTokens: 2048,
      learningRate: 1e-2,
      warmupSteps: 0,
      recompute: 'all',
    },
    output: join(name, output),
    ...more,
  })

  mkdirSync(base, { recursive: true })
  const json = readObject(fixture(config, 'config.json'))
  // The special tokens of the tokenizer: the positions of ChatGLM-6B depend on them.
  const ids = template === 'chatglm1' ? { gmask_token_id: 5, bos_token_id: 8, eos_token_id: 9 } : {}
  const wider = lengths.filter((field) => typeof json[field] === 'number').map((field) => [field, 2048])
  writeFileSync(
    join(base, 'config.json'),
    JSON.stringify({ ...json, ...rowsOf(json, 720), ...Object.fromEntries(wider), ...ids }),
  )
  for (const file of readdirSync(fixture(tokenizer)))
    if (tokenizerFiles.test(file)) copyFileSync(fixture(tokenizer, file), join(base, file))

  test('trains whole, by LoRA and over 4-bit weights, answers, scores, merges, and is the same opened again', async () => {
    const whole = options('whole', { initialize: true, peft: { method: 'none' } })
    const first = await train(whole)
    expect(first.steps).toBe(4)
    const weights = join(dir, name, 'whole', 'model')

    const adapted = await session(
      options('lora', { weights, peft: { method: 'lora', r: 4, dropout: 0 } }, 12),
      async (ift) => (await ift.createTraining()).run(),
    )
    expect(adapted.finalLoss).toBeLessThan(first.finalLoss)
    const adapter = join(dir, name, 'lora', 'adapter')

    const answers = async (ift: Ift) => {
      const generator = await ift.createGenerator()
      const prompt = { instruction: 'Cook tea.', input: '' }
      const talk = {
        messages: [
          { role: 'user', content: 'Cook soup.' },
          { role: 'assistant', content: 'the soup' },
          { role: 'user', content: 'Cook rice.' },
        ],
      } as const
      const sampled = { maxNewTokens: 6, doSample: true, temperature: 0.8, topP: 0.9, seed: 3 }
      return {
        greedy: [...(await generator.generate(prompt, { maxNewTokens: 6 })).ids],
        sampled: [...(await generator.generate(prompt, sampled)).ids],
        again: [...(await generator.generate(prompt, sampled)).ids],
        beams: [...(await generator.generate(prompt, { maxNewTokens: 6, numBeams: 3 })).ids],
        talk: [...(await generator.generate(talk, { maxNewTokens: 6 })).ids],
        scores: await generator.score(await generator.encode('the soup and the rice')),
      }
    }
    const before = await session(options('unused', { weights, adapter }), answers)
    await session(options('unused', { weights, adapter }), async (ift) => {
      const open = await ift.openModel()
      const generator = await ift.createGenerator(open)
      const long = new Int32Array((open.shape.maxPositions ?? 600) + 1)
      // ALiBi has no limit.
      if (open.shape.maxPositions === null) expect(await generator.score(long)).toHaveLength(601)
      else
        await expect(generator.score(long)).rejects.toMatchObject({
          code: 'IFT_SEQUENCE_TOO_LONG',
          message: expect.stringContaining(`limit is ${open.shape.maxPositions}`) as string,
        })
    })
    expect(before.again).toEqual(before.sampled)
    expect(before.scores.slice(1).every((score) => score! < 0)).toBe(true)

    await session(options('unused', { weights, adapter }), (ift) => ift.merge(join(name, 'merged')))
    const merged = join(dir, name, 'merged')
    expect(existsSync(join(merged, 'config.json'))).toBe(true)
    const names = async (path: string) => [...(await openCheckpoint(path)).names()].sort()
    expect(await names(merged)).toEqual(await names(weights))
    const after = await session(options('unused', { weights: merged }), answers)
    expect({ ...after, scores: [] }).toEqual({ ...before, scores: [] })
    for (const [i, score] of before.scores.entries())
      if (score !== null) expect(after.scores[i]).toBeCloseTo(score, 3)

    const few = options('few', { weights, quantize: 'nf4', peft: { method: 'lora', r: 4, dropout: 0 } }, 12)
    const losses = await session(few, async (ift) => lossesOf(await ift.createTraining()))
    expect(losses.at(-1)).toBeLessThan(losses[0]!)
  })

  test('refuses the tokenizer of another model', async () => {
    const narrow = join(dir, name, 'narrow')
    mkdirSync(narrow)
    for (const file of readdirSync(base)) copyFileSync(join(base, file), join(narrow, file))
    writeFileSync(join(narrow, 'config.json'), JSON.stringify({ ...json, ...rowsOf(json, 48) }))
    await expect(
      session(options('unused', { weights: narrow, initialize: true }), (ift) => ift.openModel()),
    ).rejects.toMatchObject({
      code: 'IFT_TOKENIZER_MISMATCH',
      message: expect.stringContaining('48 rows') as string,
    })
  })
})

// The configs of examples/families, with the smallest model of the family and a few rows in the place of what they name.
const here = join(root, 'examples/families')
const stands: Readonly<Record<string, string>> = {
  baichuan: 'baichuan-rotary-alpaca',
  bloom: 'bloom-tiny-belle',
  chatglm: 'chatglm-chatglm1-chatglm1',
  gemma: 'gemma-gemma3-chat',
  internlm: 'internlm-internlm-alpaca',
  llama: 'llama-tiny-alpaca',
  moss: 'moss-codegen-alpaca',
  phi: 'phi-grouped-chat',
  qwen: 'qwen-qwen2-chatml',
}

test.each(readdirSync(here).filter((name) => name.endsWith('.yaml')))(
  'examples/families/%s plans and trains',
  async (file) => {
    const config = (await loadConfigFile(here, join(here, file))).config as IftConfig
    const family = file.slice(0, -'.yaml'.length)
    const folder = join(dir, stands[family]!, 'base')
    const options: IftConfig = {
      ...config,
      weights: folder,
      initialize: true,
      device: 'cpu',
      threads: 2,
      dtype: 'f32',
      data: ['./rows.jsonl'],
      maxLength: 256,
      validation: { size: 1 },
      output: `example-${family}`,
    }
    const steps = await session(options, async (ift) => {
      const { plan, trainer, open } = await ift.planTraining()
      expect(plan.fits).toBe(true)
      expect(open.definition.name).toBe(config.model)
      expect(open.peft).not.toBeNull()
      return trainer.totalSteps
    })
    expect(steps).toBe(config.train?.epochs)
    const result = await train(options)
    expect(result.steps).toBe(steps)
    expect(Number.isFinite(result.finalLoss)).toBe(true)
    expect(existsSync(join(dir, `example-${family}`, 'adapter', 'adapter_model.safetensors'))).toBe(true)
  },
)
