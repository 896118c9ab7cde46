import { ggufConfig, mapGguf, openCheckpoint, saveModel, loadWeights, WeightSource } from '@ift/core'
import { readFileSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { IftError, noGrad, PackedKv, scope, segments, tensor } from '@ift/tensor'
import { referenceBackend } from '@ift/tensor/reference'
import { describe, expect, test } from 'vitest'
import { llama, parseConfig } from './index.js'

const fixture = (path: string) => fileURLToPath(new URL(`../../../fixtures/${path}`, import.meta.url))
const tiny = JSON.parse(readFileSync(fixture('llama-tiny/config.json'), 'utf8')) as Record<string, unknown>

describe('parseConfig', () => {
  test('reads LLaMA 3.2 1B as it is published', () => {
    const config = parseConfig({
      architectures: ['LlamaForCausalLM'],
      attention_bias: false,
      head_dim: 64,
      hidden_act: 'silu',
      hidden_size: 2048,
      intermediate_size: 8192,
      max_position_embeddings: 131072,
      mlp_bias: false,
      model_type: 'llama',
      num_attention_heads: 32,
      num_hidden_layers: 16,
      num_key_value_heads: 8,
      rms_norm_eps: 1e-5,
      rope_scaling: {
        factor: 32.0,
        high_freq_factor: 4.0,
        low_freq_factor: 1.0,
        original_max_position_embeddings: 8192,
        rope_type: 'llama3',
      },
      rope_theta: 500000.0,
      tie_word_embeddings: true,
      vocab_size: 128256,
    })
    expect(config).toMatchObject({ headDim: 64, kvHeads: 8, tieWordEmbeddings: true, slidingWindow: null })
    expect(config.rope).toEqual({
      kind: 'llama3',
      theta: 500000,
      factor: 32,
      lowFreqFactor: 1,
      highFreqFactor: 4,
      originalMaxPositions: 8192,
    })
    const parameters = [...llama.build(config).namedParameters()]
    const size = parameters.reduce((n, [, { shape }]) => n + shape.reduce((a, b) => a * b), 0)
    expect(size).toBe(1_235_814_400)
  })

  test.each([
    [
      'TinyLlama 1.1B',
      1_100_048_384,
      {
        hidden_size: 2048,
        intermediate_size: 5632,
        num_hidden_layers: 22,
        num_attention_heads: 32,
        num_key_value_heads: 4,
        vocab_size: 32000,
      },
    ],
    [
      'SmolLM2 135M',
      134_515_008,
      {
        hidden_size: 576,
        intermediate_size: 1536,
        num_hidden_layers: 30,
        num_attention_heads: 9,
        num_key_value_heads: 3,
        vocab_size: 49152,
        tie_word_embeddings: true,
        rope_interleaved: false,
      },
    ],
    [
      'LLaMA 7B',
      6_738_415_616,
      {
        hidden_size: 4096,
        intermediate_size: 11008,
        num_hidden_layers: 32,
        num_attention_heads: 32,
        vocab_size: 32000,
      },
    ],
  ])('%s has %i parameters', (_, expected, json) => {
    let size = 0
    for (const [, { shape }] of llama.build(parseConfig(json)).namedParameters())
      size += shape.reduce((a, b) => a * b)
    expect(size).toBe(expected)
  })

  test.each<[string, Record<string, unknown>, RegExp]>([
    ['a missing size', { hidden_size: undefined }, /hidden_size expected a positive integer, found nothing/],
    ['a fraction', { num_hidden_layers: 2.5 }, /num_hidden_layers expected a positive integer, found 2\.5/],
    [
      'heads that do not divide',
      { num_key_value_heads: 4 },
      /num_key_value_heads expected a divisor of num_attention_heads \(6\), found 4/,
    ],
    ['another activation', { hidden_act: 'gelu' }, /hidden_act expected "silu", found "gelu"/],
    ['an odd head', { head_dim: 7 }, /head_dim expected an even number, found 7/],
    ['no head_dim to be had', { head_dim: null, hidden_size: 50 }, /hidden_size expected a multiple/],
    [
      'an unknown old type',
      { rope_scaling: { type: 'su', factor: 4 } },
      /rope_scaling\.type expected .* found "su"/,
    ],
    [
      'an unknown new type',
      { rope_parameters: { rope_type: 'proportional' } },
      /rope_parameters\.rope_type expected default, linear, dynamic, llama3, yarn or longrope, found "proportional"/,
    ],
    [
      'no factor',
      { rope_scaling: { rope_type: 'linear' } },
      /rope_scaling\.factor expected a positive number, found nothing/,
    ],
    ['a partial rotation', { partial_rotary_factor: 0.5 }, /partial_rotary_factor expected 1, found 0\.5/],
    ['a flag that is text', { attention_bias: 'yes' }, /attention_bias expected true or false, found "yes"/],
  ])('refuses %s', (_, change, message) => {
    const wrong = () => parseConfig({ ...tiny, ...change })
    expect(wrong).toThrow(IftError)
    expect(wrong).toThrow(message)
  })
})

test('a sliding window allows sequences up to its length, and no longer ones', async () => {
  const json = { ...tiny, model_type: 'mistral', sliding_window: 4 }
  const config = parseConfig(json)
  expect(llama.shape(config).maxPositions).toBe(4)
  expect(parseConfig({ ...json, sliding_window: 4096 }).slidingWindow).toBeNull()
  const backend = referenceBackend()
  const model = llama.build(config)
  await loadWeights(model, llama, config, await openCheckpoint(fixture('llama-tiny/model.safetensors')), {
    backend,
    dtype: 'f32',
  })
  const run = (length: number) =>
    scope(() =>
      noGrad(() => {
        const ids = tensor(
          backend,
          Array.from({ length }, (_, i) => i),
          [length],
          'i32',
        )
        const all = segments(backend, [length])
        return model
          .call({ ids, positions: ids, segments: all, kv: new PackedKv(all), maxPosition: length })
          .read()
      }),
    )
  expect((await run(4)).length).toBe(4 * 48)
  expect(() => run(5)).toThrow(expect.objectContaining({ code: 'IFT_SEQUENCE_TOO_LONG' }))
  model.release()
})

describe('GGUF', () => {
  test('metadata give the config, tensors the weights of the checkpoint', async () => {
    const path = fixture('checkpoint/gguf/mixed.gguf')
    const expected = JSON.parse(readFileSync(fixture('checkpoint/gguf/config.json'), 'utf8')) as Record<
      string,
      unknown
    >
    const source = await openCheckpoint(path)
    const config = await ggufConfig(source, llama.gguf!)
    // GGUF keeps it as f32.
    expect({ ...config, rms_norm_eps: Math.fround(1e-5) }).toMatchObject({ rms_norm_eps: Math.fround(1e-5) })
    const { headDim, eps, ...parsed } = parseConfig(config)
    const { eps: wantedEps, headDim: wantedHeadDim, ...wanted } = parseConfig(expected)
    expect([parsed, headDim]).toEqual([wanted, wantedHeadDim])
    expect(eps).toBeCloseTo(wantedEps, 10)

    const backend = referenceBackend()
    const model = llama.build(parseConfig(config))
    await loadWeights(model, llama, parseConfig(config), source, { backend, dtype: 'f32' })
    const reference = await openCheckpoint(fixture('checkpoint/gguf/model.safetensors'))
    const mapped = mapGguf(source, llama.gguf!, config)
    for (const [name, { value }] of model.namedParameters()) {
      expect(await value.read(), name).toEqual(await reference.read(name))
      expect(await mapped.read(name), name).toEqual(await reference.read(name))
    }
    model.release()
    expect(backend.memory().buffers).toBe(0)

    // A source that was mapped is not mapped again.
    const refusing = { ...llama.gguf!, modules: () => expect.unreachable('mapped twice') }
    const again = { ...llama, gguf: refusing }
    await loadWeights(model, again, parseConfig(config), mapped, { backend, dtype: 'f32' })
    model.release()
  })

  test('another architecture is refused', async () => {
    const { path, format, tensors, metadata } = await openCheckpoint(fixture('checkpoint/gguf/mixed.gguf'))
    const other = new Map([...metadata, ['general.architecture', 'falcon']])
    await expect(ggufConfig(new WeightSource(path, format, tensors, other), llama.gguf!)).rejects.toThrow(
      /architecture is "falcon", expected "llama"/,
    )
  })

  describe('the table of frequencies', () => {
    const configOf = (table: readonly number[], theta: number, headDim: number) =>
      llama.gguf!.config({
        metadata: new Map<string, unknown>(
          Object.entries({
            'general.architecture': 'llama',
            'llama.attention.head_count': 2,
            'llama.embedding_length': 2 * headDim,
            'llama.context_length': 131072,
            'llama.feed_forward_length': 8,
            'llama.block_count': 1,
            'llama.attention.layer_norm_rms_epsilon': 1e-5,
            'llama.rope.freq_base': theta,
          }),
        ),
        shapes: new Map([['token_embd.weight', [11, 2 * headDim]]]),
        tables: new Map([['rope_freqs.weight', Float32Array.from(table)]]),
      })
    /** What llama.cpp's converter writes of LLaMA 3.1 and 3.2. */
    const written = (factor: number, headDim: number, theta: number) =>
      Array.from({ length: headDim / 2 }, (_, i) => {
        const length = 2 * Math.PI * theta ** ((2 * i) / headDim)
        if (length < 8192 / 4) return 1
        if (length > 8192) return factor
        const smooth = (8192 / length - 1) / 3
        return 1 / ((1 - smooth) / factor + smooth)
      })

    test.each([
      [8, 128],
      [32, 64],
    ])('of a published model gives its numbers: factor %d', (factor, headDim) => {
      const config = configOf(written(factor, headDim, 500000), 500000, headDim)
      expect(config['rope_scaling']).toEqual({
        rope_type: 'llama3',
        factor,
        low_freq_factor: 1,
        high_freq_factor: 4,
        original_max_position_embeddings: 8192,
      })
      expect(parseConfig(config).rope.kind).toBe('llama3')
    })

    test('of another model gives itself, of ones nothing', () => {
      const table = [1, 1, 2.5, 5]
      const { rope } = parseConfig(configOf(table, 10000, 8))
      expect(rope).toMatchObject({
        kind: 'longrope',
        shortFactors: table,
        longFactors: table,
        attentionFactor: 1,
      })
      expect(configOf([1, 1, 1, 1], 10000, 8)).not.toHaveProperty('rope_scaling')
      expect(() => parseConfig(configOf([1, 2], 10000, 8))).toThrow(/a list of 4 positive numbers/)
    })
  })
})

test.each(['f32', 'bf16'] as const)(
  'a saved model in %s opens again with the same weights',
  async (dtype) => {
    const dir = await mkdtemp(join(tmpdir(), 'ift-save-'))
    try {
      const backend = referenceBackend()
      const config = parseConfig(tiny)
      const model = llama.build(config)
      await loadWeights(model, llama, config, await openCheckpoint(fixture('llama-tiny')), {
        backend,
        dtype: 'f32',
      })
      const target = join(dir, 'merged')
      const configJson = { ...tiny, quantization_config: { bits: 4 } }
      const tokenizer = { save: () => Promise.resolve([]) }
      await saveModel(target, {
        model,
        configJson,
        dtype,
        tokenizer,
        maxShardBytes: 40_000,
        generationConfig: { eos_token_id: 2 },
      })
      const names = await readdir(target)
      expect(names).toContain('model.safetensors.index.json')
      expect(names).toContain('generation_config.json')
      const saved = JSON.parse(await readFile(join(target, 'config.json'), 'utf8')) as Record<string, unknown>
      expect(saved['torch_dtype']).toBe(dtype === 'f32' ? 'float32' : 'bfloat16')
      expect(saved).not.toHaveProperty('quantization_config')
      const again = llama.build(parseConfig(saved))
      await loadWeights(again, llama, parseConfig(saved), await openCheckpoint(target), { backend, dtype })
      const weights = new Map(again.namedParameters())
      for (const [name, { value }] of model.namedParameters()) {
        const [found, expected] = [await weights.get(name)!.value.read(), await value.read()]
        for (const [i, v] of expected.entries())
          expect(Math.abs(found[i]! - v)).toBeLessThanOrEqual(dtype === 'f32' ? 0 : Math.abs(v) * 2 ** -8)
      }
      // Over itself, in one file: the shards go.
      await saveModel(target, { model, configJson, dtype })
      expect((await readdir(target)).sort()).toEqual(['config.json', 'model.safetensors'])
      again.release()
      model.release()
      expect(backend.memory().buffers).toBe(0)
    } finally {
      await rm(dir, { recursive: true })
    }
  },
)
